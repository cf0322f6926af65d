#include "common/base.h"

#include "hub/commands.h"
#include "hub/judge.h"

static struct judging judging;
static struct judge judge;

static const struct command *const tables[] = {
        commands_invite,  commands_org,     commands_peers, commands_record,    commands_look,
        commands_link,    commands_care,    commands_hand,  commands_survive,   commands_people,
        commands_root,    commands_revoke,  commands_trail, commands_doubts,    commands_privacy,
        commands_officer, commands_certify, commands_match, commands_statement, NULL,
};

static const struct program program = {
        .name = "jinguo-hub",
        .zh = "巾帼:汇聚程序。接收站点的记录,审核、汇总,并向上级同步。",
        .en = "Jinguo at a county or province: takes in what sites record, judges, sums up, and "
              "synchronises upward.",
        .hub = true,
        .tables = tables,
        .judge = &judge,
};

int main(int argc, char **argv)
{
	judge_init(&judging, &judge);
	return command_main(&program, argc, argv);
}

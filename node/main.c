#include "common/base.h"

#include "node/serve.h"

static const struct command *const tables[] = {
        commands_record,  commands_look,    commands_node,   commands_link,
        commands_care,    commands_hand,    commands_people, commands_trail,
        commands_privacy, commands_officer, commands_case,   NULL,
};

static const struct program program = {
        .name = "jinguo-node",
        .zh = "巾帼:站点程序。没有网络也能用,联网后自动上传。",
        .en = "Jinguo at a site: everything works without a link, and is sent when there is one.",
        .tables = tables,
};

int main(int argc, char **argv)
{
	return command_main(&program, argc, argv);
}

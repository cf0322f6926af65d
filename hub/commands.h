/*
 * commands.h - what a hub's command line adds to a node's.
 */
#ifndef HUB_COMMANDS_H
#define HUB_COMMANDS_H

#include "node/command.h"

extern const struct command commands_org[], commands_invite[], commands_peers[], commands_survive[],
        commands_root[], commands_revoke[], commands_doubts[], commands_certify[], commands_match[],
        commands_statement[];

#endif

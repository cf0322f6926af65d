/*
 * codes.h - the closed code lists.  A code is never removed and never changes its meaning or its tier
 * (CODES_VERSION grows when one is added); every entry carries its own tier, because a code can say
 * more than the field that holds it: A1-A5, B2, B3, C1-C4 and household types are tier 3 and never
 * stand in an open field (architecture section 6).
 */
#ifndef COMMON_CODES_H
#define COMMON_CODES_H

#include "common/schema.h"

extern const struct code_list codes_act;            /* what a service is, policy paper rows 11-15 */
extern const struct code_list codes_household;      /* types of households, all tier 3 */
extern const struct code_list codes_need;           /* kinds of need */
extern const struct code_list codes_volunteer_kind; /* VKIND */
extern const struct code_list codes_volunteer_stat; /* VSTAT */
extern const struct code_list codes_activity_stat;  /* ASTAT */
extern const struct code_list codes_hours_source;   /* HSRC */
extern const struct code_list codes_hours_stat;     /* HSTAT */
extern const struct code_list codes_sex;
extern const struct code_list codes_id_type;
extern const struct code_list codes_ethnic;
extern const struct code_list codes_politics;
extern const struct code_list codes_edu;
extern const struct code_list codes_occupation;
extern const struct code_list codes_avail; /* weekdays and holidays */
extern const struct code_list codes_org_kind;
extern const struct code_list codes_org_level; /* texts of enum level, "1".."6" */
extern const struct code_list codes_urban_rural;
extern const struct code_list codes_six_have; /* the site check list */
extern const struct code_list codes_unified;
extern const struct code_list codes_net_kind;
extern const struct code_list codes_device_role;
extern const struct code_list codes_account_role; /* domain study 4.6, by level in node/account.c */
extern const struct code_list codes_verdict;
extern const struct code_list codes_team_type;
extern const struct code_list codes_member_role;
extern const struct code_list codes_metric; /* kinds of figures, open and closed */
extern const struct code_list codes_cause;  /* causes of corrections */
extern const struct code_list codes_case_risk, codes_case_state, codes_case_kind,
        codes_referral, /* restricted cases, all tier 3 up */
        codes_erasure;

/* All lists, for the data dictionary and the checks. */
extern const struct code_list *const code_lists[];
extern const size_t code_lists_count;

#endif

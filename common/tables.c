/*
 * tables.c - every domain table, described once as const data (schema.h says what the members mean).
 *
 * Rules of this file: a number is never reused and never changes its meaning or tier; number mod 4 is
 * the lane (open 4, 8, 12 ...; county 5, 9, 13 ...), so T0 and T1 fields have multiples of four and T2
 * and T3 fields multiples of four plus one.  A field that must travel in both ways exists twice (activity.start
 * and activity.closed_start), because nothing is decided per row about how far a value may go.
 * Everything that a figure counts is marked .figure: operations that change it carry the old value.
 */
#include "common/base.h"

#include "common/codes.h"
#include "common/envelope.h"
#include "common/schema.h"

enum {
	WRITE_ORG = 1 << LEVEL_PROVINCE | 1 << LEVEL_COUNTY, /* the county proposes */
	WRITE_SITE = 1 << LEVEL_PREFECTURE | 1 << LEVEL_COUNTY | 1 << LEVEL_TOWNSHIP |
	             1 << LEVEL_COMMUNITY,
	WRITE_ANY = WRITE_SITE | 1 << LEVEL_PROVINCE,
	WRITE_KEEPER = 1 << LEVEL_PREFECTURE | 1 << LEVEL_COUNTY, /* who holds the county lane */
	WRITE_CUSTODIAN = 1 << LEVEL_PROVINCE | 1 << LEVEL_PREFECTURE | 1 << LEVEL_COUNTY
};

#define SRC_DESIGN "Jinguo design"
#define SRC_LAW    "志愿服务条例 (国务院令685) "
#define SRC_RECORD "志愿服务记录与证明出具办法 (民政部令67) "
#define SRC_NVSI   "全国志愿服务信息系统 2022"
#define SRC_FORM   "巾帼志愿者注册信息表"

/* A day far enough away for every living person and every plan: 1900-01-01 .. 2199-12-31. */
enum { DAY_MIN = -25567, DAY_MAX = 84005 };
#define TIME_MIN INT64_C(0)
#define TIME_MAX INT64_C(7258089600000) /* 2199-12-31T00:00:00Z */

/* One entry a row: */
/* clang-format off */
static const struct field org_unit_fields[] = {
	{.number = 4, .type = FIELD_TEXT, .name = "code", .zh = "区划代码", .en = "division code",
	 .tier = 0, .required = true, .indexed = true, .len_max = 12, .rule = "division_code",
	 .source = "国家统计局 统计用区划代码, 12 digits"},
	{.number = 8, .type = FIELD_INT, .name = "level", .zh = "层级", .en = "level",
	 .tier = 0, .required = true, .min = LEVEL_NATION, .max = LEVEL_COMMUNITY, .source = SRC_DESIGN},
	{.number = 12, .type = FIELD_TEXT, .name = "name", .zh = "名称", .en = "name",
	 .tier = 0, .required = true, .len_max = 120, .source = "国家统计局 统计用区划代码"},
	{.number = 16, .type = FIELD_TEXT, .name = "short", .zh = "简称", .en = "short name",
	 .tier = 0, .len_max = 60, .source = SRC_DESIGN},
	{.number = 20, .type = FIELD_REF, .name = "parent", .zh = "上级", .en = "parent",
	 .tier = 0, .indexed = true, .ref_table = TABLE_ORG_UNIT, .source = SRC_DESIGN},
	{.number = 24, .type = FIELD_CODE, .name = "urban_rural", .zh = "城乡分类", .en = "urban or rural",
	 .tier = 0, .codes = &codes_urban_rural, .source = "国家统计局 城乡分类代码"},
	{.number = 28, .type = FIELD_CODE, .name = "kind", .zh = "类别", .en = "kind",
	 .tier = 0, .codes = &codes_org_kind, .source = SRC_DESIGN},
	{.number = 32, .type = FIELD_DATE, .name = "valid_from", .zh = "生效日期", .en = "valid from",
	 .tier = 0, .min = DAY_MIN, .max = DAY_MAX, .source = SRC_DESIGN},
	{.number = 36, .type = FIELD_DATE, .name = "valid_to", .zh = "失效日期", .en = "valid to",
	 .tier = 0, .min = DAY_MIN, .max = DAY_MAX, .source = SRC_DESIGN},
	{.number = 40, .type = FIELD_TEXT, .name = "contact", .zh = "办公电话", .en = "office telephone",
	 .tier = 1, .len_max = 32, .rule = "phone", .source = SRC_DESIGN ": an office number, no names"},
};

static const struct field site_fields[] = {
	{.number = 4, .type = FIELD_TEXT, .name = "name", .zh = "名称", .en = "name",
	 .tier = 0, .required = true, .len_max = 120, .source = "全国妇联2011年意见: 妇女之家"},
	{.number = 8, .type = FIELD_TEXT, .name = "address", .zh = "地址", .en = "address",
	 .tier = 0, .len_max = 240, .source = SRC_DESIGN},
	{.number = 12, .type = FIELD_INT, .merge = MERGE_OWNED, .owner_level = LEVEL_COUNTY,
	 .name = "star", .zh = "星级", .en = "stars", .tier = 0, .min = 0, .max = 5,
	 .source = SRC_DESIGN ": given by the county or above"},
	{.number = 16, .type = FIELD_CODES, .name = "six_have", .zh = "六有", .en = "the six to have",
	 .tier = 1, .codes = &codes_six_have, .source = "妇女之家 六有三统一"},
	{.number = 20, .type = FIELD_CODES, .name = "unified", .zh = "三统一", .en = "the three in common",
	 .tier = 1, .codes = &codes_unified, .source = "妇女之家 六有三统一"},
	{.number = 24, .type = FIELD_TEXT, .name = "plaque_no", .zh = "标牌编号", .en = "plaque number",
	 .tier = 0, .len_max = 40, .source = "全国妇联2011年意见: 站点标牌"},
	{.number = 28, .type = FIELD_DATE, .name = "opened", .zh = "成立日期", .en = "opened",
	 .tier = 0, .min = DAY_MIN, .max = DAY_MAX, .source = SRC_DESIGN},
	{.number = 32, .type = FIELD_INT, .name = "area_m2", .zh = "面积", .en = "floor area",
	 .tier = 1, .unit = "m2", .min = 0, .max = 1000000, .source = SRC_DESIGN},
	{.number = 36, .type = FIELD_CODE, .name = "net_kind", .zh = "网络", .en = "network",
	 .tier = 1, .codes = &codes_net_kind, .source = SRC_DESIGN},
	{.number = 40, .type = FIELD_TEXT, .name = "open_hours", .zh = "开放时间", .en = "opening hours",
	 .tier = 0, .len_max = 120, .source = SRC_DESIGN},
};

static const struct field device_fields[] = {
	{.number = 4, .type = FIELD_BYTES, .name = "origin", .zh = "设备标识", .en = "origin",
	 .tier = 1, .required = true, .indexed = true, .len_max = 16, .source = "architecture section 2"},
	{.number = 8, .type = FIELD_CODE, .name = "role", .zh = "角色", .en = "role",
	 .tier = 1, .required = true, .codes = &codes_device_role, .source = "architecture section 1"},
	{.number = 12, .type = FIELD_REF, .name = "org", .zh = "所属组织", .en = "org unit",
	 .tier = 1, .required = true, .indexed = true, .ref_table = TABLE_ORG_UNIT, .source = SRC_DESIGN},
	{.number = 16, .type = FIELD_TIME, .name = "enrolled", .zh = "加入时间", .en = "enrolled",
	 .tier = 1, .required = true, .min = TIME_MIN, .max = TIME_MAX, .source = SRC_DESIGN},
	{.number = 20, .type = FIELD_TEXT, .name = "sw_ver", .zh = "程序版本", .en = "program version",
	 .tier = 1, .len_max = 40, .source = SRC_DESIGN},
	{.number = 24, .type = FIELD_TIME, .name = "revoked", .zh = "注销时间", .en = "revoked",
	 .tier = 1, .min = TIME_MIN, .max = TIME_MAX, .source = SRC_DESIGN},
};

static const struct field volunteer_fields[] = {
	{.number = 4, .type = FIELD_TEXT, .name = "volunteer_no", .zh = "志愿者编号", .en = "volunteer number",
	 .tier = 1, .indexed = true, .len_max = 40,
	 .source = "MZ/T 061-2015: 志愿者统一编号 stands for the identity number in public use"},
	{.number = 8, .type = FIELD_INT, .merge = MERGE_OWNED, .owner_level = LEVEL_COUNTY,
	 .name = "star", .zh = "星级", .en = "stars", .tier = 1, .min = 0, .max = 5,
	 .source = "志愿服务记录办法 (民函〔2012〕340号)"},

	{.number = 5, .type = FIELD_TEXT, .name = "name", .zh = "姓名", .en = "name",
	 .tier = 2, .required = true, .indexed = true, .len_max = 90, .source = SRC_RECORD "art.5"},
	{.number = 9, .type = FIELD_CODE, .name = "sex", .zh = "性别", .en = "sex",
	 .tier = 2, .codes = &codes_sex, .source = SRC_RECORD "art.5"},
	{.number = 13, .type = FIELD_DATE, .name = "birth", .zh = "出生日期", .en = "date of birth",
	 .tier = 2, .min = DAY_MIN, .max = DAY_MAX, .source = SRC_RECORD "art.5"},
	{.number = 17, .type = FIELD_CODE, .name = "id_type", .zh = "证件类型", .en = "kind of document",
	 .tier = 2, .codes = &codes_id_type, .source = SRC_NVSI},
	{.number = 21, .type = FIELD_TEXT, .name = "id_no", .zh = "证件号码", .en = "document number",
	 .tier = 3, .len_max = 40, .rule = "citizen_id",
	 .source = SRC_RECORD "art.5; GB 11643-1999 when id_type is 01"},
	{.number = 25, .type = FIELD_CODE, .name = "ethnic", .zh = "民族", .en = "ethnic group",
	 .tier = 2, .codes = &codes_ethnic, .source = SRC_FORM},
	{.number = 29, .type = FIELD_CODE, .name = "politics", .zh = "政治面貌", .en = "political status",
	 .tier = 2, .codes = &codes_politics, .source = SRC_NVSI},
	{.number = 33, .type = FIELD_CODE, .name = "edu", .zh = "学历", .en = "education",
	 .tier = 2, .codes = &codes_edu, .source = SRC_FORM},
	{.number = 37, .type = FIELD_CODE, .name = "occupation", .zh = "职业", .en = "occupation",
	 .tier = 2, .codes = &codes_occupation, .source = SRC_FORM},
	{.number = 41, .type = FIELD_TEXT, .name = "employer", .zh = "工作单位", .en = "employer",
	 .tier = 2, .len_max = 180, .source = SRC_FORM},
	{.number = 45, .type = FIELD_TEXT, .name = "phone", .zh = "联系电话", .en = "telephone",
	 .tier = 2, .indexed = true, .len_max = 32, .rule = "phone", .source = SRC_LAW "art.7"},
	{.number = 49, .type = FIELD_TEXT, .name = "live_area", .zh = "居住区域", .en = "area of residence",
	 .tier = 2, .len_max = 12, .rule = "division_code", .source = SRC_RECORD "art.5"},
	{.number = 53, .type = FIELD_TEXT, .name = "serve_area", .zh = "服务区域", .en = "area of service",
	 .tier = 2, .len_max = 12, .rule = "division_code", .source = SRC_NVSI},
	{.number = 57, .type = FIELD_CODE, .name = "kind", .zh = "志愿者类别", .en = "kind of volunteer",
	 .tier = 2, .codes = &codes_volunteer_kind, .source = "全国妇联2011年意见"},
	{.number = 61, .type = FIELD_CODES, .name = "act_interest", .zh = "服务意向", .en = "services offered",
	 .tier = 2, .min = 0, .max = 4, .codes = &codes_act,
	 .source = SRC_NVSI ": 服务类别, at most 4"},
	{.number = 65, .type = FIELD_CODES, .name = "avail", .zh = "服务时间", .en = "days available",
	 .tier = 2, .codes = &codes_avail, .source = SRC_NVSI},
	{.number = 69, .type = FIELD_DATE, .name = "oath", .zh = "宣誓日期", .en = "oath taken",
	 .tier = 2, .min = DAY_MIN, .max = DAY_MAX, .source = "全国妇联2011年意见: 培育志愿文化"},
	{.number = 73, .type = FIELD_CODE, .name = "vstat", .zh = "状态", .en = "state", .tier = 2,
	 .required = true, .figure = true, .codes = &codes_volunteer_stat, .source = SRC_DESIGN},
	{.number = 77, .type = FIELD_DATE, .name = "registered", .zh = "注册日期", .en = "registered",
	 .tier = 2, .required = true, .figure = true, .min = DAY_MIN, .max = DAY_MAX,
	 .source = SRC_LAW "art.7"},
	{.number = 81, .type = FIELD_DATE, .name = "insured_to", .zh = "保险到期", .en = "insured until",
	 .tier = 2, .min = DAY_MIN, .max = DAY_MAX, .source = SRC_LAW "art.17"},
	{.number = 85, .type = FIELD_TEXT, .name = "external_no", .zh = "全国系统编号", .en = "number in NVSI",
	 .tier = 2, .len_max = 40, .source = SRC_NVSI},
	{.number = 89, .type = FIELD_TEXT, .name = "guardian", .zh = "监护人", .en = "guardian",
	 .tier = 3, .len_max = 120, .source = "个人信息保护法 art.31: under 14"},
	{.number = 93, .type = FIELD_DATE, .name = "guardian_consent", .zh = "监护人同意日期",
	 .en = "guardian's consent signed", .tier = 3, .min = DAY_MIN, .max = DAY_MAX,
	 .source = "个人信息保护法 art.31: under 14"},
	{.number = 97, .type = FIELD_TEXT, .name = "skills", .zh = "专业技能", .en = "skills",
	 .tier = 2, .len_max = 240, .source = SRC_RECORD "art.5"},
};

static const struct field team_fields[] = {
	{.number = 4, .type = FIELD_TEXT, .name = "team_no", .zh = "队伍编号", .en = "team number",
	 .tier = 1, .len_max = 40, .source = SRC_DESIGN},
	{.number = 8, .type = FIELD_TEXT, .name = "name", .zh = "队伍名称", .en = "name",
	 .tier = 0, .required = true, .len_max = 120, .source = SRC_FORM ": 服务队全称"},
	{.number = 12, .type = FIELD_CODE, .name = "type", .zh = "队伍类型", .en = "type",
	 .tier = 1, .codes = &codes_team_type, .source = SRC_NVSI},
	{.number = 16, .type = FIELD_DATE, .name = "founded", .zh = "成立日期", .en = "founded",
	 .tier = 1, .min = DAY_MIN, .max = DAY_MAX, .source = SRC_DESIGN},
	{.number = 20, .type = FIELD_CODES, .name = "service_scope", .zh = "服务范围", .en = "services",
	 .tier = 1, .codes = &codes_act, .source = "全国妇联2011年意见: 多种类型、各具特色的队伍"},
	{.number = 24, .type = FIELD_TEXT, .name = "flag_no", .zh = "旗帜编号", .en = "flag number",
	 .tier = 1, .len_max = 40, .source = "全国妇联2011年意见: 旗帜"},

	{.number = 5, .type = FIELD_REF, .name = "leader", .zh = "队长", .en = "leader",
	 .tier = 2, .ref_table = TABLE_VOLUNTEER, .source = SRC_DESIGN},
	{.number = 9, .type = FIELD_TEXT, .name = "contact", .zh = "联系方式", .en = "contact",
	 .tier = 2, .len_max = 120, .source = SRC_NVSI},
};

static const struct field team_member_fields[] = {
	{.number = 5, .type = FIELD_REF, .name = "team", .zh = "队伍", .en = "team",
	 .tier = 2, .required = true, .indexed = true, .ref_table = TABLE_TEAM, .source = SRC_DESIGN},
	{.number = 9, .type = FIELD_REF, .name = "volunteer", .zh = "志愿者", .en = "volunteer", .tier = 2,
	 .required = true, .indexed = true, .ref_table = TABLE_VOLUNTEER, .source = SRC_DESIGN},
	{.number = 13, .type = FIELD_CODE, .name = "role", .zh = "职务", .en = "role",
	 .tier = 2, .codes = &codes_member_role, .source = SRC_DESIGN},
	{.number = 17, .type = FIELD_DATE, .name = "joined", .zh = "入队日期", .en = "joined",
	 .tier = 2, .min = DAY_MIN, .max = DAY_MAX, .source = SRC_DESIGN},
	{.number = 21, .type = FIELD_DATE, .name = "left", .zh = "离队日期", .en = "left",
	 .tier = 2, .min = DAY_MIN, .max = DAY_MAX, .source = SRC_DESIGN},
	{.number = 25, .type = FIELD_BOOL, .name = "backbone", .zh = "骨干", .en = "backbone member",
	 .tier = 2, .source = "全国妇联2011年意见: 骨干队伍"},
};

static const struct field activity_fields[] = {
	{.number = 4, .type = FIELD_TEXT, .name = "act_no", .zh = "活动编号", .en = "activity number",
	 .tier = 1, .len_max = 40, .source = SRC_DESIGN},
	{.number = 8, .type = FIELD_TEXT, .name = "title", .zh = "活动名称", .en = "title",
	 .tier = 0, .required = true, .len_max = 180, .source = SRC_RECORD "art.7"},
	{.number = 12, .type = FIELD_CODE, .name = "act", .zh = "服务类别", .en = "kind of service",
	 .tier = 1, .figure = true, .codes = &codes_act,
	 .source = "全国妇联2011年意见; open kinds only"},
	{.number = 16, .type = FIELD_TEXT, .name = "programme", .zh = "所属项目", .en = "programme",
	 .tier = 0, .len_max = 120, .source = "全国妇联2011年意见: 品牌"},
	{.number = 20, .type = FIELD_REF, .name = "team", .zh = "服务队", .en = "team",
	 .tier = 1, .ref_table = TABLE_TEAM, .source = SRC_RECORD "art.7: 活动组织单位"},
	{.number = 24, .type = FIELD_TEXT, .name = "place", .zh = "地点", .en = "place",
	 .tier = 0, .len_max = 180, .source = SRC_RECORD "art.7"},
	{.number = 28, .type = FIELD_TIME, .name = "start", .zh = "开始时间", .en = "start",
	 .tier = 0, .required = true, .indexed = true, .figure = true, .min = TIME_MIN, .max = TIME_MAX,
	 .source = SRC_RECORD "art.7"},
	{.number = 32, .type = FIELD_TIME, .name = "end", .zh = "结束时间", .en = "end",
	 .tier = 0, .min = TIME_MIN, .max = TIME_MAX, .source = SRC_RECORD "art.7"},
	{.number = 36, .type = FIELD_INT, .name = "capacity", .zh = "招募人数", .en = "places",
	 .tier = 0, .unit = "persons", .min = 0, .max = 100000, .source = SRC_LAW "art.12"},
	{.number = 40, .type = FIELD_TEXT, .name = "risk", .zh = "风险提示", .en = "risks",
	 .tier = 0, .len_max = 600, .source = SRC_LAW "art.12-13"},
	{.number = 44, .type = FIELD_BOOL, .name = "insurance", .zh = "已投保", .en = "insured",
	 .tier = 1, .source = SRC_LAW "art.17"},
	{.number = 48, .type = FIELD_CODE, .name = "astat", .zh = "状态", .en = "state", .tier = 1,
	 .required = true, .figure = true, .codes = &codes_activity_stat, .source = SRC_DESIGN},
	{.number = 52, .type = FIELD_INT, .name = "attendees", .zh = "参加人数", .en = "people who came",
	 .tier = 1, .unit = "persons", .min = 0, .max = 1000000, .source = SRC_DESIGN},
	{.number = 56, .type = FIELD_INT, .name = "hh_served", .zh = "服务家庭数", .en = "households served",
	 .tier = 1, .figure = true, .unit = "households", .min = 0, .max = 1000000,
	 .source = "全国妇联2011年意见: 面向家庭"},

	{.number = 5, .type = FIELD_CODE, .name = "act_closed", .zh = "服务类别(不公开)",
	 .en = "kind of service, closed", .tier = 3, .figure = true, .codes = &codes_act,
	 .source = "architecture section 6"},
	{.number = 9, .type = FIELD_TIME, .name = "closed_start", .zh = "开始时间(不公开)",
	 .en = "start, closed", .tier = 2, .indexed = true, .figure = true, .min = TIME_MIN,
	 .max = TIME_MAX, .source = "architecture section 6"},
	{.number = 13, .type = FIELD_INT, .name = "closed_households", .zh = "服务家庭数(不公开)",
	 .en = "households served, closed", .tier = 3, .figure = true, .unit = "households",
	 .min = 0, .max = 1000000, .source = "architecture section 6"},
	{.number = 17, .type = FIELD_REF, .name = "lead", .zh = "活动负责人", .en = "person in charge",
	 .tier = 2, .ref_table = TABLE_VOLUNTEER, .source = SRC_RECORD "art.7"},
	{.number = 21, .type = FIELD_TEXT, .name = "note", .zh = "内部备注", .en = "internal note",
	 .tier = 2, .len_max = 2000, .source = SRC_DESIGN},
	{.number = 25, .type = FIELD_TIME, .name = "closed_end", .zh = "结束时间(不公开)",
	 .en = "end, closed", .tier = 2, .min = TIME_MIN, .max = TIME_MAX,
	 .source = "architecture section 6"},
	{.number = 29, .type = FIELD_TEXT, .name = "closed_title", .zh = "名称(不公开)", .en = "title, closed",
	 .tier = 2, .len_max = 200, .source = "architecture section 6"},
};

static const struct field participation_fields[] = {
	{.number = 5, .type = FIELD_REF, .name = "volunteer", .zh = "志愿者", .en = "volunteer", .tier = 2,
	 .required = true, .indexed = true, .ref_table = TABLE_VOLUNTEER, .source = SRC_RECORD "art.7"},
	{.number = 9, .type = FIELD_REF, .name = "activity", .zh = "活动", .en = "activity", .tier = 2,
	 .indexed = true, .ref_table = TABLE_ACTIVITY, .source = SRC_RECORD "art.7"},
	{.number = 13, .type = FIELD_CODE, .name = "act", .zh = "服务类别", .en = "kind of service",
	 .tier = 3, .figure = true, .codes = &codes_act, .source = SRC_RECORD "art.7: 服务内容"},
	{.number = 17, .type = FIELD_TIME, .name = "in", .zh = "开始时间", .en = "from", .tier = 2,
	 .required = true, .indexed = true, .figure = true, .min = TIME_MIN, .max = TIME_MAX,
	 .source = SRC_RECORD "art.7: 日期、服务时间"},
	{.number = 21, .type = FIELD_TIME, .name = "out", .zh = "结束时间", .en = "to",
	 .tier = 2, .min = TIME_MIN, .max = TIME_MAX, .source = SRC_RECORD "art.7: 服务时间"},
	{.number = 25, .type = FIELD_INT, .name = "break_min", .zh = "休息时间", .en = "break",
	 .tier = 2, .unit = "min", .min = 0, .max = 1440, .source = SRC_DESIGN},
	{.number = 29, .type = FIELD_INT, .name = "minutes", .zh = "服务时长", .en = "service time",
	 .tier = 2, .required = true, .figure = true, .unit = "min", .min = 0, .max = 1440,
	 .rule = "day_minutes", .source = SRC_RECORD "art.7; " SRC_NVSI ": at most 24 h"},
	{.number = 33, .type = FIELD_CODE, .name = "hsrc", .zh = "时长来源", .en = "source of the hours",
	 .tier = 2, .required = true, .codes = &codes_hours_source, .source = SRC_NVSI},
	{.number = 37, .type = FIELD_CODE, .name = "hstat", .zh = "时长状态", .en = "state of the hours",
	 .tier = 2, .required = true, .figure = true, .codes = &codes_hours_stat, .source = SRC_NVSI},
	{.number = 41, .type = FIELD_INT, .name = "punctual", .zh = "守时程度", .en = "punctuality",
	 .tier = 2, .min = 1, .max = 5, .source = SRC_NVSI ": 评价"},
	{.number = 45, .type = FIELD_INT, .name = "attitude", .zh = "服务态度", .en = "attitude",
	 .tier = 2, .min = 1, .max = 5, .source = SRC_NVSI ": 评价"},
	{.number = 49, .type = FIELD_INT, .name = "skill", .zh = "专业水平", .en = "skill",
	 .tier = 2, .min = 1, .max = 5, .source = SRC_NVSI ": 评价"},
	{.number = 53, .type = FIELD_TEXT, .name = "comment", .zh = "说明", .en = "comment",
	 .tier = 2, .len_max = 600, .source = SRC_RECORD "art.10"},
	{.number = 57, .type = FIELD_REF, .name = "reverses", .zh = "冲销", .en = "reverses", .tier = 2,
	 .ref_table = TABLE_PARTICIPATION, .indexed = true, .source = "architecture section 3, domain.md 4.4"},
};

static const struct field figure_fields[] = {
	{.number = 4, .type = FIELD_BYTES, .name = "origin", .zh = "填报设备", .en = "origin",
	 .tier = 1, .len_max = 16, .source = "architecture section 6"},
	{.number = 8, .type = FIELD_MONTH, .name = "month", .zh = "月份", .en = "month",
	 .tier = 1, .indexed = true, .min = 190001, .max = 219912, .source = "architecture section 6"},
	{.number = 12, .type = FIELD_CODE, .name = "kind", .zh = "指标", .en = "kind",
	 .tier = 1, .codes = &codes_metric, .source = "architecture section 6"},
	{.number = 16, .type = FIELD_INT, .name = "value", .zh = "数值", .en = "value",
	 .tier = 1, .source = "architecture section 6"},

	{.number = 5, .type = FIELD_BYTES, .name = "closed_origin", .zh = "填报设备(不公开)",
	 .en = "origin, closed", .tier = 3, .len_max = 16, .source = "architecture section 6"},
	{.number = 9, .type = FIELD_MONTH, .name = "closed_month", .zh = "月份(不公开)",
	 .en = "month, closed", .tier = 3, .indexed = true, .min = 190001, .max = 219912,
	 .source = "architecture section 6"},
	{.number = 13, .type = FIELD_CODE, .name = "closed_kind", .zh = "指标(不公开)",
	 .en = "kind, closed", .tier = 3, .codes = &codes_metric, .source = "architecture section 6"},
	{.number = 17, .type = FIELD_INT, .name = "closed_value", .zh = "数值(不公开)",
	 .en = "value, closed", .tier = 3, .source = "architecture section 6"},
};

static const struct field correction_fields[] = {
	{.number = 4, .type = FIELD_MONTH, .name = "month", .zh = "月份", .en = "month",
	 .tier = 1, .indexed = true, .min = 190001, .max = 219912, .source = "architecture section 6"},
	{.number = 8, .type = FIELD_CODE, .name = "kind", .zh = "指标", .en = "kind",
	 .tier = 1, .codes = &codes_metric, .source = "architecture section 6"},
	{.number = 12, .type = FIELD_CODE, .name = "cause", .zh = "原因", .en = "cause",
	 .tier = 1, .codes = &codes_cause, .source = "architecture section 6"},
	{.number = 16, .type = FIELD_INT, .name = "value", .zh = "更正数", .en = "correction",
	 .tier = 1, .source = "architecture section 6"},
	{.number = 20, .type = FIELD_INT, .name = "base", .zh = "所据合计", .en = "base sum",
	 .tier = 1, .source = "architecture section 6"},
	{.number = 24, .type = FIELD_TEXT, .name = "detail", .zh = "明细", .en = "detail",
	 .tier = 1, .len_max = 4096, .source = "architecture section 6: record ids"},

	{.number = 5, .type = FIELD_MONTH, .name = "closed_month", .zh = "月份(不公开)",
	 .en = "month, closed", .tier = 3, .indexed = true, .min = 190001, .max = 219912,
	 .source = "architecture section 6"},
	{.number = 9, .type = FIELD_CODE, .name = "closed_kind", .zh = "指标(不公开)",
	 .en = "kind, closed", .tier = 3, .codes = &codes_metric, .source = "architecture section 6"},
	{.number = 13, .type = FIELD_CODE, .name = "closed_cause", .zh = "原因(不公开)",
	 .en = "cause, closed", .tier = 3, .codes = &codes_cause, .source = "architecture section 6"},
	{.number = 17, .type = FIELD_INT, .name = "closed_value", .zh = "更正数(不公开)",
	 .en = "correction, closed", .tier = 3, .source = "architecture section 6"},
	{.number = 21, .type = FIELD_INT, .name = "closed_base", .zh = "所据合计(不公开)",
	 .en = "base sum, closed", .tier = 3, .source = "architecture section 6"},
	{.number = 25, .type = FIELD_TEXT, .name = "closed_detail", .zh = "明细(不公开)",
	 .en = "detail, closed", .tier = 3, .len_max = 4096, .source = "architecture section 6"},
};

/* Who acts: the open lane has what a signature is checked with, the county lane whose it is. */
static const struct field account_fields[] = {
	{.number = 4, .type = FIELD_BYTES, .name = "person", .zh = "人员标识", .en = "person",
	 .tier = 1, .required = true, .indexed = true, .len_max = 8,
	 .source = "architecture section 8: author of a changeset; first 8 bytes of the key's BLAKE2b hash"},
	{.number = 8, .type = FIELD_BYTES, .name = "key", .zh = "签名公钥", .en = "signing key",
	 .tier = 1, .required = true, .len_max = 32, .source = SRC_DESIGN ": Ed25519"},
	{.number = 12, .type = FIELD_CODES, .name = "roles", .zh = "角色", .en = "roles",
	 .tier = 1, .required = true, .min = 1, .max = 8, .codes = &codes_account_role,
	 .source = "domain study 4.6"},
	{.number = 16, .type = FIELD_TIME, .name = "disabled", .zh = "停用时间", .en = "disabled",
	 .tier = 1, .min = TIME_MIN, .max = TIME_MAX, .source = SRC_DESIGN},

	{.number = 5, .type = FIELD_TEXT, .name = "login", .zh = "账号", .en = "account",
	 .tier = 2, .indexed = true, .len_max = 40,
	 .source = "domain study 4.3; not stated above the custodian, who has no county lane"},
	{.number = 9, .type = FIELD_TEXT, .name = "name", .zh = "姓名", .en = "name",
	 .tier = 2, .len_max = 90, .source = SRC_DESIGN},
};

static const struct field trail_head_fields[] = {
	{.number = 4, .type = FIELD_BYTES, .name = "origin", .zh = "设备标识", .en = "origin",
	 .tier = 1, .required = true, .indexed = true, .len_max = 16, .source = "domain study 5, rule 27"},
	{.number = 8, .type = FIELD_INT, .name = "seq", .zh = "序号", .en = "number", .tier = 1,
	 .required = true, .min = 1, .max = INT64_MAX, .source = "domain study 5, rule 27"},
	{.number = 12, .type = FIELD_BYTES, .name = "head", .zh = "链首", .en = "hash of the last record",
	 .tier = 1, .required = true, .len_max = 32, .source = "domain study 5, rule 27"},
	{.number = 16, .type = FIELD_BYTES, .name = "by", .zh = "签认设备", .en = "stated by",
	 .tier = 1, .required = true, .len_max = 16,
	 .source = "the device itself, or the hub above a hub, which countersigns"},
};

/* What of a device came to a hub above its parent: its own word, which goes down to the device. */
static const struct field arrival_fields[] = {
	{.number = 4, .type = FIELD_BYTES, .name = "device", .zh = "设备标识", .en = "device",
	 .tier = 1, .len_max = 16, .source = "architecture section 6: heads per origin go down"},
	{.number = 8, .type = FIELD_BYTES, .name = "hub", .zh = "收到的上级", .en = "hub",
	 .tier = 1, .len_max = 16, .source = "architecture section 6: heads per origin go down"},
	{.number = 12, .type = FIELD_INT, .name = "seal", .zh = "最后封存号", .en = "last seal",
	 .tier = 1, .source = "architecture section 6: heads per origin go down"},
	{.number = 16, .type = FIELD_INT, .name = "parts", .zh = "收到的份数", .en = "segments that came",
	 .tier = 1, .source = "architecture section 6: heads per origin go down"},
};

/* The level above says whose key may act in which roles. */
static const struct field person_cert_fields[] = {
	{.number = 4, .type = FIELD_BYTES, .name = "person", .zh = "人员标识", .en = "person",
	 .tier = 1, .required = true, .indexed = true, .len_max = 8, .source = SRC_DESIGN},
	{.number = 8, .type = FIELD_BYTES, .name = "key", .zh = "签名公钥", .en = "signing key",
	 .tier = 1, .required = true, .len_max = 32, .source = SRC_DESIGN ": Ed25519"},
	{.number = 12, .type = FIELD_CODES, .name = "roles", .zh = "角色", .en = "roles",
	 .tier = 1, .required = true, .min = 1, .max = 8, .codes = &codes_account_role,
	 .source = "domain study 4.6"},
};

/* Approvals, review steps, the second person of an entry made later: signed by who decides (proto/person.h). */
static const struct field review_step_fields[] = {
	{.number = 4, .type = FIELD_BYTES, .name = "of", .zh = "所审记录", .en = "of",
	 .tier = 1, .required = true, .indexed = true, .len_max = 16,
	 .source = "domain study 4.3; a bare value: it may lie in a closed lane"},
	{.number = 8, .type = FIELD_CODE, .name = "verdict", .zh = "审核意见", .en = "verdict",
	 .tier = 1, .required = true, .codes = &codes_verdict, .source = "domain study 4.3"},
	{.number = 12, .type = FIELD_TEXT, .name = "opinion", .zh = "说明", .en = "opinion",
	 .tier = 1, .len_max = 600, .source = "domain study 4.3"},
	{.number = 16, .type = FIELD_INT, .name = "step", .zh = "步骤", .en = "step",
	 .tier = 1, .min = 1, .max = 9, .source = "domain study 4.3"},
};

static const struct field recovery_key_fields[] = {
	{.number = 4, .type = FIELD_BYTES, .name = "key", .zh = "恢复公钥", .en = "recovery key",
	 .tier = 1, .required = true, .len_max = 32,
	 .source = "architecture section 6: Curve25519; its secret is kept offline at the county"},
};

/* Who may be sealed to: certified and signed by the province (proto/officer.h), for the unit whose scope the row lies in. */
static const struct field officer_fields[] = {
	{.number = 4, .type = FIELD_BYTES, .name = "cert", .zh = "专员证书", .en = "certificate",
	 .tier = 1, .required = true, .len_max = 256,
	 .source = "issue of the sealed lane: certificates signed from the province"},
	{.number = 8, .type = FIELD_BYTES, .name = "officer", .zh = "专员标识", .en = "officer",
	 .tier = 1, .required = true, .indexed = true, .len_max = 8, .source = SRC_DESIGN},
};

/* The stub: what a site needs in order not to forget anybody, and nothing of what happened. */
static const struct field restricted_case_fields[] = {
	{.number = 5, .type = FIELD_TEXT, .name = "case_no", .zh = "个案编号", .en = "case number",
	 .tier = 3, .required = true, .len_max = 40, .source = "domain study 4.3 (restricted_case)"},
	{.number = 9, .type = FIELD_CODE, .name = "act", .zh = "类别", .en = "kind of case",
	 .tier = 3, .codes = &codes_act, .source = "domain study 4.3 (restricted_case)"},
	{.number = 13, .type = FIELD_CODE, .name = "risk", .zh = "风险", .en = "hazard",
	 .tier = 3, .codes = &codes_case_risk, .source = "domain study 4.1: stub"},
	{.number = 17, .type = FIELD_DATE, .name = "next_visit", .zh = "下次回访", .en = "next visit",
	 .tier = 3, .min = DAY_MIN, .max = DAY_MAX, .source = "domain study 4.1: stub"},
	{.number = 21, .type = FIELD_CODE, .name = "state", .zh = "状态", .en = "state",
	 .tier = 3, .required = true, .codes = &codes_case_state, .source = "domain study 4.4"},
};

static const struct field case_record_fields[] = {
	{.number = 6, .type = FIELD_REF, .name = "of", .zh = "个案", .en = "case", .tier = 4,
	 .required = true, .indexed = true, .ref_table = TABLE_RESTRICTED_CASE,
	 .source = "domain study 4.4: the site may only append"},
	{.number = 10, .type = FIELD_BYTES, .name = "sealed", .zh = "密封件", .en = "envelope", .tier = 4,
	 .required = true, .len_max = ENVELOPE_BYTES_MAX, .rule = "envelope",
	 .source = "architecture section 6: sealed, every record once"},
};

static const struct field case_key_fields[] = {
	{.number = 6, .type = FIELD_REF, .name = "of", .zh = "个案记录", .en = "record of a case", .tier = 4,
	 .required = true, .indexed = true, .ref_table = TABLE_CASE_RECORD,
	 .source = "architecture section 6: sealed, every record once"},
	{.number = 10, .type = FIELD_BYTES, .name = "sealed", .zh = "转封密钥", .en = "keys", .tier = 4,
	 .required = true, .len_max = ENVELOPE_BYTES_MAX, .rule = "envelope_keys",
	 .source = "re-wrapping: a new record, the old envelope untouched"},
};

/* Said in the open before anything is read: that it was done, by whom and why, and not of which case. */
static const struct field broken_glass_fields[] = {
	{.number = 4, .type = FIELD_BYTES, .name = "by", .zh = "开启人", .en = "by",
	 .tier = 1, .required = true, .len_max = 8, .source = "domain study 4.1: break-glass with reason"},
	{.number = 8, .type = FIELD_TEXT, .name = "reason", .zh = "理由", .en = "reason",
	 .tier = 1, .required = true, .len_max = 600, .source = "domain study 4.1: break-glass with reason"},
	{.number = 12, .type = FIELD_INT, .name = "records", .zh = "份数", .en = "records",
	 .tier = 1, .required = true, .min = 1, .max = 100000,
	 .source = "domain study 4.1: break-glass with reason"},
};

/* Of a kind that stays in the county, for the whole county and a quarter that is over; no value: below 5, or hidden with one
 * that is.  The service is a text, since no code of tier T3 stands in an open field. */
static const struct field statement_fields[] = {
	{.number = 4, .type = FIELD_INT, .name = "quarter", .zh = "季度", .en = "quarter", .tier = 1,
	 .required = true, .indexed = true, .min = 19001, .max = 21994,
	 .source = "architecture section 6: year * 10 + 1..4"},
	{.number = 8, .type = FIELD_TEXT, .name = "service", .zh = "服务类别", .en = "kind of service",
	 .tier = 1, .len_max = 4, .source = "architecture section 6: a code of `act`; none: all closed kinds"},
	{.number = 12, .type = FIELD_CODE, .name = "metric", .zh = "指标", .en = "kind", .tier = 1,
	 .required = true, .codes = &codes_metric, .source = "domain study 4.5"},
	{.number = 16, .type = FIELD_INT, .name = "value", .zh = "数值", .en = "value", .tier = 1,
	 .min = 5, .max = INT64_C(1000000000000), .source = "domain study rule 20: from 5 up"},
};

/* A site does not agree with a correction of its own numbers.  Of an open correction everybody above reads it; that there is a
 * closed one stays in the county, as the correction does. */
static const struct field objection_fields[] = {
	{.number = 4, .type = FIELD_REF, .name = "correction", .zh = "更正", .en = "correction", .tier = 1,
	 .indexed = true, .ref_table = TABLE_CORRECTION,
	 .source = "architecture section 6: the site can object"},
	{.number = 8, .type = FIELD_TEXT, .name = "reason", .zh = "理由", .en = "reason", .tier = 1,
	 .len_max = 600, .source = "architecture section 6: the site can object"},
	{.number = 12, .type = FIELD_TEXT, .merge = MERGE_OWNED, .owner_level = LEVEL_COUNTY,
	 .name = "answer", .zh = "答复", .en = "answer", .tier = 1, .len_max = 600,
	 .source = SRC_DESIGN ": given by the county"},

	{.number = 5, .type = FIELD_REF, .name = "closed_correction", .zh = "更正(不公开)",
	 .en = "correction, closed", .tier = 3, .ref_table = TABLE_CORRECTION,
	 .source = "architecture section 6: the site can object"},
	{.number = 9, .type = FIELD_TEXT, .name = "closed_reason", .zh = "理由(不公开)",
	 .en = "reason, closed", .tier = 3, .len_max = 600,
	 .source = "architecture section 6: the site can object"},
	{.number = 13, .type = FIELD_TEXT, .merge = MERGE_OWNED, .owner_level = LEVEL_COUNTY,
	 .name = "closed_answer", .zh = "答复(不公开)", .en = "answer, closed", .tier = 3,
	 .len_max = 600, .source = SRC_DESIGN ": given by the county"},
};

/* Its id is a hash of the person's, so that two who write it down write the same row; deleted: consent given again. */
static const struct field withdrawal_fields[] = {
	{.number = 5, .type = FIELD_REF, .name = "person", .zh = "志愿者", .en = "person", .tier = 2,
	 .required = true, .indexed = true, .ref_table = TABLE_VOLUNTEER,
	 .source = "个人信息保护法 art.15, 47"},
	{.number = 9, .type = FIELD_DATE, .name = "withdrawn", .zh = "撤回同意日期", .en = "consent withdrawn",
	 .tier = 2, .required = true, .min = DAY_MIN, .max = DAY_MAX,
	 .source = "个人信息保护法 art.15, 47"},
};

/* Whose contents go, by id alone; its own id is a hash of that one, so that two who erase a row write one record. */
static const struct field erasure_fields[] = {
	{.number = 4, .type = FIELD_BYTES, .name = "target", .zh = "记录编号", .en = "record erased", .tier = 1,
	 .required = true, .len_max = 16, .source = "个人信息保护法 art.47"},
	{.number = 8, .type = FIELD_CODE, .name = "cause", .zh = "删除原因", .en = "cause", .tier = 1,
	 .required = true, .codes = &codes_erasure, .source = "个人信息保护法 art.47"},
};

/* Inside an envelope of case_record. */
static const struct field case_content_fields[] = {
	{.number = 6, .type = FIELD_CODE, .name = "kind", .zh = "事项", .en = "what it is", .tier = 4,
	 .required = true, .codes = &codes_case_kind, .source = "domain study 4.4"},
	{.number = 10, .type = FIELD_TIME, .name = "at", .zh = "时间", .en = "when", .tier = 4,
	 .min = TIME_MIN, .max = TIME_MAX, .source = "domain study 4.3 (restricted_case)"},
	{.number = 14, .type = FIELD_TEXT, .name = "text", .zh = "经过", .en = "what happened", .tier = 4,
	 .required = true, .len_max = 32000, .source = "domain study 4.3 (restricted_case)"},
	{.number = 18, .type = FIELD_TEXT, .name = "persons", .zh = "当事人", .en = "persons", .tier = 4,
	 .len_max = 4000, .source = "domain study 4.3 (restricted_case)"},
	{.number = 22, .type = FIELD_TEXT, .name = "will_of_victim", .zh = "当事人意愿",
	 .en = "what the victim wants", .tier = 4, .len_max = 2000,
	 .source = "domain study 4.3 (restricted_case)"},
	{.number = 26, .type = FIELD_TIME, .name = "reported_police", .zh = "报警时间",
	 .en = "reported to the police", .tier = 4, .min = TIME_MIN, .max = TIME_MAX,
	 .source = "反家庭暴力法 art.13-15"},
	{.number = 30, .type = FIELD_BOOL, .name = "warning_letter", .zh = "告诫书", .en = "warning letter",
	 .tier = 4, .source = "反家庭暴力法 art.16"},
	{.number = 34, .type = FIELD_DATE, .name = "order_until", .zh = "人身安全保护令到期",
	 .en = "protection order until", .tier = 4, .min = DAY_MIN, .max = DAY_MAX,
	 .source = "反家庭暴力法 art.23-30"},
	{.number = 38, .type = FIELD_CODE, .name = "referred_to", .zh = "转介单位", .en = "referred to",
	 .tier = 4, .codes = &codes_referral, .source = "domain study 4.3 (restricted_case)"},
	{.number = 42, .type = FIELD_TEXT, .name = "result", .zh = "结果", .en = "result", .tier = 4,
	 .len_max = 4000, .source = "domain study 4.3 (restricted_case)"},
};
/* clang-format on */

#define TABLE(IDENT, NUMBER, KIND, ZH, EN, WRITERS, SOURCE)                                        \
	static const struct table table_##IDENT = {                                                \
	        .number = (NUMBER),                                                                \
	        .kind = (KIND),                                                                    \
	        .name = #IDENT,                                                                    \
	        .zh = (ZH),                                                                        \
	        .en = (EN),                                                                        \
	        .fields = IDENT##_fields,                                                          \
	        .fields_count = ARRAY_COUNT(IDENT##_fields),                                       \
	        .writer_levels = (WRITERS),                                                        \
	        .source = (SOURCE),                                                                \
	}

TABLE(org_unit, TABLE_ORG_UNIT, TABLE_FIELD, "组织", "org unit", WRITE_ORG,
      "国家统计局 统计用区划代码 2023; domain study 4.3");
TABLE(site, TABLE_SITE, TABLE_FIELD, "妇女之家", "site", WRITE_SITE,
      "全国妇联2011年意见: 依托村、社区“妇女之家”");
TABLE(device, TABLE_DEVICE, TABLE_FIELD, "设备", "device", WRITE_ANY,
      "architecture section 2: written by the hub that enrols");
TABLE(volunteer, TABLE_VOLUNTEER, TABLE_FIELD, "志愿者", "volunteer", WRITE_SITE,
      SRC_LAW "art.7; " SRC_RECORD "art.5");
TABLE(team, TABLE_TEAM, TABLE_FIELD, "服务队", "team", WRITE_ANY, "全国妇联2011年意见: 队伍");
TABLE(team_member, TABLE_TEAM_MEMBER, TABLE_FIELD, "队员", "team member", WRITE_ANY,
      "domain study 4.3");
TABLE(activity, TABLE_ACTIVITY, TABLE_FIELD, "活动", "activity", WRITE_ANY, SRC_RECORD "art.7");
TABLE(participation, TABLE_PARTICIPATION, TABLE_ONCE, "服务记录", "participation", WRITE_ANY,
      SRC_RECORD "art.7, 10, 11");
TABLE(figure, TABLE_FIGURE, TABLE_SYSTEM, "数字", "figure", WRITE_ANY, "architecture section 6");
TABLE(correction, TABLE_CORRECTION, TABLE_SYSTEM, "更正", "correction", WRITE_CUSTODIAN,
      "architecture section 6: K of the custodian hub");
TABLE(statement, TABLE_STATEMENT, TABLE_FIELD, "季度公布", "quarterly statement", WRITE_KEEPER,
      "architecture section 6: closed kinds, openly, for the whole county");
TABLE(objection, TABLE_OBJECTION, TABLE_FIELD, "异议", "objection", WRITE_SITE,
      "architecture section 6: a correction reaches the site, which can object");
TABLE(trail_head, TABLE_TRAIL, TABLE_SYSTEM, "操作日志链首", "head of a trail", WRITE_ANY,
      "domain study 4.3 (audit_entry), rule 27: the records stay on the device");
TABLE(recovery_key, TABLE_RECOVERY_KEY, TABLE_FIELD, "恢复公钥", "recovery key", WRITE_CUSTODIAN,
      "lessons section 8: recovered disks can be opened by the county");
TABLE(person_cert, TABLE_PERSON_CERT, TABLE_FIELD, "人员证书", "certificate of a person",
      WRITE_CUSTODIAN, "keys with roles that decide are certified from the level above");
TABLE(review_step, TABLE_REVIEW_STEP, TABLE_ONCE, "审核步骤", "review step", WRITE_ANY,
      "domain study 4.3, 4.6, rule 15");
TABLE(account, TABLE_ACCOUNT, TABLE_FIELD, "账号", "account", WRITE_ANY,
      "domain study 4.3 (user_account), 4.6; its secrets never leave the device");
TABLE(arrival, TABLE_ARRIVAL, TABLE_SYSTEM, "上级收到", "arrival", WRITE_CUSTODIAN,
      "architecture section 6: heads per origin go down");

TABLE(officer, TABLE_OFFICER, TABLE_ONCE, "权益专员证书", "officer", WRITE_ORG,
      "domain study 4.1, 4.6: who may be sealed to");
TABLE(restricted_case, TABLE_RESTRICTED_CASE, TABLE_FIELD, "个案", "restricted case", WRITE_SITE,
      "domain study 4.3, 4.4 (restricted_case)");
TABLE(case_record, TABLE_CASE_RECORD, TABLE_ONCE, "个案记录", "record of a case", WRITE_SITE,
      "architecture section 6: sealed, every record once");
TABLE(case_key, TABLE_CASE_KEY, TABLE_ONCE, "转封密钥", "keys for a record", WRITE_SITE,
      "architecture section 6: re-wrapping");
TABLE(broken_glass, TABLE_BROKEN_GLASS, TABLE_ONCE, "破封登记", "broken glass", WRITE_SITE,
      "domain study 4.1: break-glass with reason");
TABLE(withdrawal, TABLE_WITHDRAWAL, TABLE_FIELD, "撤回同意", "consent withdrawn", WRITE_SITE,
      "个人信息保护法 art.15, 47: frozen while a legal term runs");
TABLE(erasure, TABLE_ERASURE, TABLE_ONCE, "依法删除", "erasure", WRITE_KEEPER,
      "个人信息保护法 art.47; architecture section 6");

const struct table table_case_content = {
        .number = 1,
        .kind = TABLE_ONCE,
        .name = "case_content",
        .zh = "个案内容",
        .en = "what an envelope of a case says",
        .fields = case_content_fields,
        .fields_count = ARRAY_COUNT(case_content_fields),
        .writer_levels = WRITE_SITE,
        .source = "domain study 4.3 (restricted_case)",
};

static const struct table *const tables_current[] = {
        &table_org_unit,     &table_site,          &table_device,
        &table_volunteer,    &table_team,          &table_team_member,
        &table_activity,     &table_participation, &table_figure,
        &table_correction,   &table_account,       &table_trail_head,
        &table_recovery_key, &table_person_cert,   &table_review_step,
        &table_arrival,      &table_officer,       &table_restricted_case,
        &table_case_record,  &table_case_key,      &table_broken_glass,
        &table_withdrawal,   &table_erasure,       &table_statement,
        &table_objection,
};

const struct schema schema_current = {
        .version = SCHEMA_VERSION,
        .tables = tables_current,
        .tables_count = ARRAY_COUNT(tables_current),
};

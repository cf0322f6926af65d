/*
 * codes.c - the code lists as data: code, Chinese, English, tier.
 *
 * Where a national standard or the national volunteer system (NVSI) has codes, they are used as they
 * are, so that exports need no mapping; our own lists use short English words, which read well in
 * files and on the command line.  Order matters: FIELD_CODES values are joined in list order.
 */
#include "common/base.h"

#include "common/codes.h"

#define LIST(IDENT, NAME, SOURCE)                                                                  \
	const struct code_list codes_##IDENT = {                                                   \
	        .name = (NAME),                                                                    \
	        .codes = list_##IDENT,                                                             \
	        .count = ARRAY_COUNT(list_##IDENT),                                                \
	        .source = (SOURCE),                                                                \
	}

/* One entry a row: */
/* clang-format off */
static const struct code list_act[] = {
	{"0", "便民利民", "convenience services", 1},
	{"A1", "困难家庭帮扶", "help to households in hardship", 3},
	{"A2", "单亲家庭帮扶", "help to single-parent households", 3},
	{"A3", "空巢家庭帮扶", "help to empty-nest households", 3},
	{"A4", "孤寡老人家庭帮扶", "help to elderly people living alone", 3},
	{"A5", "残疾人家庭帮扶", "help to households with disabled people", 3},
	{"B1", "普法宣传", "publicity of the law", 1},
	{"B2", "法律咨询", "legal advice", 3},
	{"B3", "反家庭暴力", "against domestic violence", 3},
	{"C1", "婚姻家庭关系调适", "marriage and family relations", 3},
	{"C2", "邻里冲突调解", "mediation between neighbours", 3},
	{"C3", "心灵关怀", "psychological care", 3},
	{"C4", "情感抚慰", "emotional comfort", 3},
	{"D1", "文化", "culture", 1},
	{"D2", "体育", "sport", 1},
	{"D3", "环保", "environment", 1},
	{"D4", "家庭教育", "family education", 1},
	{"X", "本地特色", "local kind", 1},
};
LIST(act, "act", "全国妇联2011年巾帼志愿服务意见, rows 11-15 of the domain study");

static const struct code list_household[] = {
	{"hardship", "困难家庭", "in hardship", 3},
	{"single_parent", "单亲家庭", "single parent", 3},
	{"empty_nest", "空巢家庭", "empty nest", 3},
	{"elderly_alone", "孤寡老人家庭", "elderly, alone", 3},
	{"disabled", "残疾人家庭", "with disabled people", 3},
	{"left_behind", "留守家庭", "left behind (local)", 3},
	{"other", "其他", "other", 3},
};
LIST(household, "household", "全国妇联2011年巾帼志愿服务意见: the five fixed types; left_behind is a local one");

static const struct code list_need[] = {
	{"life", "生活需求", "everyday needs", 1},
	{"spirit", "精神文化需求", "cultural and spiritual needs", 1},
};
LIST(need, "need", "全国妇联2011年巾帼志愿服务意见: 生活需求和精神文化需求");

static const struct code list_volunteer_kind[] = {
	{"cadre", "基层妇联干部", "grassroots federation cadre", 1},
	{"woman", "妇女", "woman", 1},
	{"family", "家庭成员", "family member", 1},
	{"group", "团体会员成员", "member of a group member", 1},
	{"professional", "专业人士", "professional", 1},
};
LIST(volunteer_kind, "volunteer_kind", "全国妇联2011年巾帼志愿服务意见: 主体力量 and 骨干队伍");

static const struct code list_volunteer_stat[] = {
	{"draft", "草稿", "draft", 1},
	{"pending", "待核实", "pending", 1},
	{"active", "在册", "active", 1},
	{"paused", "暂停", "paused", 1},
	{"transferring", "转出中", "transferring", 1},
	{"left", "已退出", "left", 1},
	{"merged", "已合并", "merged", 1},
};
LIST(volunteer_stat, "volunteer_stat", "Jinguo design, domain study 4.4 (volunteer)");

static const struct code list_activity_stat[] = {
	{"draft", "草稿", "draft", 1},
	{"submitted", "已提交", "submitted", 1},
	{"approved", "已批准", "approved", 1},
	{"published", "已发布", "published", 1},
	{"running", "进行中", "running", 1},
	{"finished", "已结束", "finished", 1},
	{"hours_confirmed", "时长已确认", "hours confirmed", 1},
	{"rated", "已评价", "rated", 1},
	{"archived", "已归档", "archived", 1},
	{"cancelled", "已取消", "cancelled", 1},
};
LIST(activity_stat, "activity_stat", "Jinguo design, domain study 4.4 (activity)");

static const struct code list_hours_source[] = {
	{"1", "团体录入", "entered by the team", 1},
	{"2", "个人申请", "applied for by the volunteer", 1},
	{"4", "打卡", "signed in and out", 1},
	{"5", "补录", "back-filled", 1},
	{"6", "纸质导入", "from paper", 1},
};
LIST(hours_source, "hours_source", "NVSI 2022 (1, 2, 4); 5 and 6 Jinguo design");

static const struct code list_hours_stat[] = {
	{"0", "申请中", "applied for", 1},
	{"1", "未签退", "not signed out", 1},
	{"2", "已生效", "effective", 1},
	{"3", "已删除", "deleted", 1},
	{"4", "已拒绝", "refused", 1},
	{"5", "未生效", "not effective", 1},
	{"6", "冲突待核", "conflict to be settled", 1},
};
LIST(hours_stat, "hours_stat", "NVSI 2022 (0-5); 6 Jinguo design");

static const struct code list_sex[] = {
	{"0", "未知的性别", "unknown", 1},
	{"1", "男", "male", 1},
	{"2", "女", "female", 1},
	{"9", "未说明的性别", "not stated", 1},
};
LIST(sex, "sex", "GB/T 2261.1-2003");

static const struct code list_id_type[] = {
	{"01", "内地居民身份证", "mainland identity card", 1},
	{"02", "香港居民身份证", "Hong Kong identity card", 1},
	{"03", "澳门居民身份证", "Macao identity card", 1},
	{"04", "台湾居民身份证", "Taiwan identity card", 1},
	{"05", "护照", "passport", 1},
	{"06", "军官证", "officer's card", 1},
	{"07", "士兵证", "soldier's card", 1},
	{"99", "其他", "other", 1},
};
LIST(id_type, "id_type", "NVSI 2022 front end");

static const struct code list_ethnic[] = {
	{"01", "汉族", "Han", 1},
	{"02", "蒙古族", "Mongol", 1},
	{"03", "回族", "Hui", 1},
	{"04", "藏族", "Zang", 1},
	{"05", "维吾尔族", "Uygur", 1},
	{"06", "苗族", "Miao", 1},
	{"07", "彝族", "Yi", 1},
	{"08", "壮族", "Zhuang", 1},
	{"09", "布依族", "Buyei", 1},
	{"10", "朝鲜族", "Chosen", 1},
	{"11", "满族", "Man", 1},
	{"12", "侗族", "Dong", 1},
	{"13", "瑶族", "Yao", 1},
	{"14", "白族", "Bai", 1},
	{"15", "土家族", "Tujia", 1},
	{"16", "哈尼族", "Hani", 1},
	{"17", "哈萨克族", "Kazak", 1},
	{"18", "傣族", "Dai", 1},
	{"19", "黎族", "Li", 1},
	{"20", "傈僳族", "Lisu", 1},
	{"21", "佤族", "Va", 1},
	{"22", "畲族", "She", 1},
	{"23", "高山族", "Gaoshan", 1},
	{"24", "拉祜族", "Lahu", 1},
	{"25", "水族", "Sui", 1},
	{"26", "东乡族", "Dongxiang", 1},
	{"27", "纳西族", "Naxi", 1},
	{"28", "景颇族", "Jingpo", 1},
	{"29", "柯尔克孜族", "Kirgiz", 1},
	{"30", "土族", "Tu", 1},
	{"31", "达斡尔族", "Daur", 1},
	{"32", "仫佬族", "Mulao", 1},
	{"33", "羌族", "Qiang", 1},
	{"34", "布朗族", "Blang", 1},
	{"35", "撒拉族", "Salar", 1},
	{"36", "毛南族", "Maonan", 1},
	{"37", "仡佬族", "Gelao", 1},
	{"38", "锡伯族", "Xibe", 1},
	{"39", "阿昌族", "Achang", 1},
	{"40", "普米族", "Pumi", 1},
	{"41", "塔吉克族", "Tajik", 1},
	{"42", "怒族", "Nu", 1},
	{"43", "乌孜别克族", "Uzbek", 1},
	{"44", "俄罗斯族", "Russ", 1},
	{"45", "鄂温克族", "Ewenki", 1},
	{"46", "德昂族", "Deang", 1},
	{"47", "保安族", "Bonan", 1},
	{"48", "裕固族", "Yugur", 1},
	{"49", "京族", "Gin", 1},
	{"50", "塔塔尔族", "Tatar", 1},
	{"51", "独龙族", "Derung", 1},
	{"52", "鄂伦春族", "Oroqen", 1},
	{"53", "赫哲族", "Hezhen", 1},
	{"54", "门巴族", "Monba", 1},
	{"55", "珞巴族", "Lhoba", 1},
	{"56", "基诺族", "Jino", 1},
	{"97", "其他", "other", 1},
	{"98", "外国血统中国籍人士", "Chinese citizen of foreign descent", 1},
};
LIST(ethnic, "ethnic", "GB/T 3304-1991, numeric codes (from memory); 97, 98 as police registers use them");

static const struct code list_politics[] = {
	{"01", "中共党员", "member of the CPC", 1},
	{"02", "中共预备党员", "probationary member of the CPC", 1},
	{"03", "共青团员", "member of the Youth League", 1},
	{"04", "民革党员", "member of the RCCK", 1},
	{"05", "民盟盟员", "member of the CDL", 1},
	{"06", "民建会员", "member of the CNDCA", 1},
	{"07", "民进会员", "member of the CAPD", 1},
	{"08", "农工党党员", "member of the CPWDP", 1},
	{"09", "致公党党员", "member of the Zhi Gong Party", 1},
	{"10", "九三学社社员", "member of the Jiusan Society", 1},
	{"11", "台盟盟员", "member of the TDSGL", 1},
	{"12", "无党派人士", "without party affiliation", 1},
	{"13", "群众", "citizen", 1},
};
LIST(politics, "politics", "GB/T 4762-1984 (from memory)");

static const struct code list_edu[] = {
	{"10", "研究生教育", "postgraduate", 1},
	{"20", "大学本科教育", "university", 1},
	{"30", "大学专科教育", "college", 1},
	{"40", "中等职业教育", "vocational secondary", 1},
	{"60", "普通高级中学教育", "upper secondary", 1},
	{"70", "初级中学教育", "lower secondary", 1},
	{"80", "小学教育", "primary", 1},
	{"90", "其他", "other", 1},
};
LIST(edu, "edu", "GB/T 4658-2006 (from memory)");

static const struct code list_occupation[] = {
	{"11", "国家公务员", "civil servant", 1},
	{"13", "专业技术人员", "professional or technician", 1},
	{"17", "职员", "clerk", 1},
	{"21", "企业管理人员", "manager", 1},
	{"24", "工人", "worker", 1},
	{"27", "农民", "farmer", 1},
	{"31", "学生", "student", 1},
	{"37", "现役军人", "in military service", 1},
	{"51", "自由职业者", "freelance", 1},
	{"54", "个体经营者", "self-employed", 1},
	{"70", "无业人员", "without work", 1},
	{"80", "退(离)休人员", "retired", 1},
	{"90", "其他", "other", 1},
};
LIST(occupation, "occupation", "GB/T 2261.4-2003");

static const struct code list_avail[] = {
	{"1", "周一", "Monday", 1},
	{"2", "周二", "Tuesday", 1},
	{"3", "周三", "Wednesday", 1},
	{"4", "周四", "Thursday", 1},
	{"5", "周五", "Friday", 1},
	{"6", "周六", "Saturday", 1},
	{"7", "周日", "Sunday", 1},
	{"8", "节假日", "public holidays", 1},
};
LIST(avail, "avail", "NVSI 2022 front end: 可参与服务时间");

static const struct code list_org_kind[] = {
	{"federation", "妇联", "women's federation", 1},
	{"residents", "居", "residents' committee (community)", 1},
	{"village", "村", "villagers' committee", 1},
	{"direct", "直属", "directly subordinate unit", 1},
	{"association", "协会", "association", 1},
};
LIST(org_kind, "org_kind", "Jinguo design, domain study 4.3 (org_unit)");

static const struct code list_org_level[] = {
	{"1", "国家", "nation", 1},
	{"2", "省", "province", 1},
	{"3", "设区市", "prefecture", 1},
	{"4", "县(市、区)", "county", 1},
	{"5", "乡镇、街道", "township", 1},
	{"6", "村、社区", "village or community", 1},
};
LIST(org_level, "org_level", "Jinguo design, levels of the federation's organisation");

static const struct code list_urban_rural[] = {
	{"111", "主城区", "main urban area", 1},
	{"112", "城乡结合区", "urban-rural fringe", 1},
	{"121", "镇中心区", "town centre", 1},
	{"122", "镇乡结合区", "town-rural fringe", 1},
	{"123", "特殊区域", "special area", 1},
	{"210", "乡中心区", "township centre", 1},
	{"220", "村庄", "village", 1},
};
LIST(urban_rural, "urban_rural", "National Bureau of Statistics, 城乡分类代码");

static const struct code list_six_have[] = {
	{"place", "有场所", "a place", 1},
	{"facility", "有设施", "facilities", 1},
	{"plan", "有计划", "a plan", 1},
	{"rules", "有制度", "rules", 1},
	{"activity", "有活动", "activities", 1},
	{"effect", "有效果", "results", 1},
};
LIST(six_have, "six_have", "妇女之家 六有三统一 (平凉 2012)");

static const struct code list_unified[] = {
	{"name", "统一名称", "the common name", 1},
	{"logo", "统一标识", "the common logo", 1},
	{"image", "统一形象", "the common appearance", 1},
};
LIST(unified, "unified", "妇女之家 六有三统一 (平凉 2012)");

static const struct code list_net_kind[] = {
	{"none", "无网络", "none", 1},
	{"mobile", "移动网络", "mobile network", 1},
	{"broadband", "宽带", "broadband", 1},
	{"government", "政务外网", "government network", 1},
};
LIST(net_kind, "net_kind", "Jinguo design");

static const struct code list_device_role[] = {
	{"node", "站点电脑", "node", 1},
	{"hub", "汇聚机", "hub", 1},
};
LIST(device_role, "device_role", "Jinguo design, architecture section 1");

static const struct code list_account_role[] = {
	{"head", "站长", "head of the site", 1},
	{"recorder", "记录员", "recorder", 1},
	{"liaison", "权益联络员", "rights liaison", 1},
	{"admin", "管理员", "administrator", 1},
	{"reviewer", "审核员", "reviewer", 1},
	{"finance", "财务", "finance", 1},
	{"rights", "权益专员", "rights officer", 1},
	{"data", "数据员", "data officer", 1},
	{"business", "业务", "business", 1},
	{"assessor", "考核", "assessment", 1},
	{"auditor", "审计", "auditor", 1},
};
LIST(account_role, "account_role", "domain study 4.6");

static const struct code list_verdict[] = {
	{"agree", "同意", "agreed", 1},
	{"return", "退回", "returned", 1},
	{"no", "否", "refused", 1},
};
LIST(verdict, "verdict", "domain study 4.3 (review_step)");

static const struct code list_team_type[] = {
	{"1", "志愿服务组织", "volunteer service organisation", 1},
	{"2", "其他开展志愿服务活动的法人组织", "other legal person that volunteers", 1},
	{"3", "志愿服务团体", "volunteer group (agreed by community or unit)", 1},
};
LIST(team_type, "team_type", "NVSI 2022 front end: team types; numbers Jinguo design");

static const struct code list_member_role[] = {
	{"leader", "队长", "leader", 1},
	{"deputy", "副队长", "deputy leader", 1},
	{"recorder", "记录员", "recorder", 1},
	{"member", "队员", "member", 1},
};
LIST(member_role, "member_role", "Jinguo design");

static const struct code list_metric[] = {
	{"volunteers", "注册志愿者", "registered volunteers", 1},
	{"activities", "活动", "activities", 1},
	{"participations", "服务人次", "participations", 1},
	{"minutes", "服务分钟", "service minutes", 1},
	{"households", "服务家庭", "households served", 1},
	{"activities_closed", "活动(不公开类)", "activities, closed kinds", 3},
	{"participations_closed", "服务人次(不公开类)", "participations, closed kinds", 3},
	{"minutes_closed", "服务分钟(不公开类)", "service minutes, closed kinds", 3},
	{"households_closed", "服务家庭(不公开类)", "households served, closed kinds", 3},
};
LIST(metric, "metric", "Jinguo design, domain study 4.5 (M2, M5-M8); architecture section 6");

static const struct code list_cause[] = {
	{"duplicate", "重复", "the same person or record twice", 1},
	{"overlap", "时间重叠", "hours overlap", 1},
	{"refused", "被退回", "refused", 1},
	{"concurrent", "同时修改", "changed in two places at once", 1},
	{"lost", "未到达", "did not arrive", 1},
	{"older", "旧版程序", "stated by an older program", 1},
	{"unexplained", "原因不明", "unexplained", 1},
};
LIST(cause, "cause", "Jinguo design, architecture section 6");

static const struct code list_case_risk[] = {
	{"low", "一般", "low", 3},
	{"medium", "较高", "medium", 3},
	{"high", "紧急", "high", 3},
};
LIST(case_risk, "case_risk", "Jinguo design, domain study 4.1: hazard flag of the stub");

static const struct code list_case_state[] = {
	{"open", "已立案", "open", 3},
	{"sealed", "已密封上报", "sealed", 3},
	{"accepted", "县级已受理", "accepted by the county", 3},
	{"assisted", "转介或帮扶中", "referred or assisted", 3},
	{"visits", "回访中", "follow-up visits", 3},
	{"closed", "已结案", "closed", 3},
};
LIST(case_state, "case_state", "domain study 4.4 (restricted_case)");

static const struct code list_case_kind[] = {
	{"report", "来访或来电", "first report", 4},
	{"visit", "走访回访", "visit", 4},
	{"referral", "转介", "referral", 4},
	{"measure", "处置", "measure taken", 4},
	{"closing", "结案", "closing", 4},
};
LIST(case_kind, "case_kind", "domain study 4.4 (restricted_case)");

static const struct code list_referral[] = {
	{"police", "公安", "police", 4},
	{"court", "法院", "court", 4},
	{"legal_aid", "法律援助", "legal aid", 4},
	{"hospital", "医疗机构", "hospital", 4},
	{"shelter", "庇护场所", "shelter", 4},
	{"civil_affairs", "民政", "civil affairs", 4},
	{"counselling", "心理咨询", "counselling", 4},
};
LIST(referral, "referral", "反家庭暴力法 art.13-18, 23");

static const struct code list_erasure[] = {
	{"term", "保存期满", "the legal term is over", 1},
	{"request", "本人要求", "the person asked for it", 1},
	{"order", "主管部门责令", "ordered by the authority", 1},
};
LIST(erasure, "erasure", "个人信息保护法 art.47");
/* clang-format on */

const struct code_list *const code_lists[] = {
        &codes_act,
        &codes_household,
        &codes_need,
        &codes_volunteer_kind,
        &codes_volunteer_stat,
        &codes_activity_stat,
        &codes_hours_source,
        &codes_hours_stat,
        &codes_sex,
        &codes_id_type,
        &codes_ethnic,
        &codes_politics,
        &codes_edu,
        &codes_occupation,
        &codes_avail,
        &codes_org_kind,
        &codes_org_level,
        &codes_urban_rural,
        &codes_six_have,
        &codes_unified,
        &codes_net_kind,
        &codes_device_role,
        &codes_account_role,
        &codes_verdict,
        &codes_team_type,
        &codes_member_role,
        &codes_metric,
        &codes_cause,
        &codes_case_risk,
        &codes_case_state,
        &codes_case_kind,
        &codes_referral,
        &codes_erasure,
};
const size_t code_lists_count = ARRAY_COUNT(code_lists);

/*
 * words.h - the one catalogue of sentences for people, Chinese and English side by side; errors have
 * theirs in common/error_list.h.
 *
 * A sentence has places `{}` that are filled in order with texts, not printf conversions: so both
 * languages are checked by one test (same number of places) and by no format string from a table.
 */
#ifndef NODE_WORDS_H
#define NODE_WORDS_H

#include "common/buf.h"

#define WORDS(W)                                                                                   \
	W(ERROR_HEAD, "错误", "error")                                                             \
	W(ERROR_WHY, "原因", "why")                                                                \
	W(ERROR_MEND, "处理", "what to do")                                                        \
	W(ERROR_LINE, "第{}行", "line {}")                                                         \
	W(HELP_USAGE, "用法", "usage")                                                             \
	W(HELP_EXAMPLES, "例子", "examples")                                                       \
	W(HELP_COMMANDS, "命令", "commands")                                                       \
	W(HELP_OPTIONS, "选项", "options")                                                         \
	W(HELP_COMMON,                                                                             \
	  "  --dir DIR    数据目录 (或环境变量 JINGUO_DIR)\n  --json       输出 JSON\n" \
	  "  --no-input   不询问\n  --yes        对询问都答“是”\n"                    \
	  "  --service    脚本用:以服务程序的身份(本机设了账号时)\n  --help       帮助\n",         \
	  "  --dir DIR    data directory (or JINGUO_DIR in the environment)\n"                     \
	  "  --json       JSON output\n  --no-input   never ask\n"                                 \
	  "  --yes        answer yes to questions\n"                                               \
	  "  --service    for scripts, where there are accounts: as the service\n  --help       "  \
	  "this text\n")                                                                           \
	W(HELP_MORE, "“{} 命令 --help”说明一个命令。",                                             \
	  "`{} COMMAND --help` explains one command.")                                             \
	W(NEAREST, "您是不是要写“{}”?", "Did you mean \"{}\"?")                                    \
	W(RECORDED, "已存本机: {}", "recorded here: {}")                                           \
	W(CHANGED, "已存本机: {}", "recorded here: {}")                                            \
	W(PROPOSED, "此项由上级填写,已作为提议保存: {}",                                           \
	  "another level writes this field: kept as a proposal: {}")                               \
	W(LINES_DONE, "已存 {} 条,未存 {} 条", "recorded {}, not recorded {}")                     \
	W(NONE_FOUND, "没有记录。", "Nothing there.")                                              \
	W(ROWS_MORE, "还有更多: --after {}", "there is more: --after {}")                          \
	W(DELETED, "已删除", "deleted")                                                            \
	W(SHOWN, "显示", "shown")                                                                  \
	W(ALSO, "另有", "also")                                                                    \
	W(CONFLICT_HEAD,                                                                           \
	  "{} {} 的“{}”有 {} 个值,都已保留:", "{} {}: \"{}\" has {} values, all kept:")            \
	W(CONFLICT_MEND, "选定: edit {} {}=值", "choose: edit {} {}=VALUE")                        \
	W(CONFLICT_DELETED, "{} {} 已删除,同时别处改过“{}”",                                       \
	  "{} {} was deleted while \"{}\" was changed elsewhere")                                  \
	W(HISTORY_TAIL, "已存本机", "recorded here")                                               \
	W(HISTORY_OWN, "上级所写", "written by a hub")                                             \
	W(HISTORY_ADMITTED, "已并入", "merged")                                                    \
	W(HISTORY_REFUSED, "被退", "refused")                                                      \
	W(HISTORY_WAITS, "等待", "waits")                                                          \
	W(OP_INSERT, "新建", "created")                                                            \
	W(OP_UPDATE, "修改", "changed")                                                            \
	W(OP_DELETE, "删除", "deleted")                                                            \
	W(OP_RESTORE, "恢复", "restored")                                                          \
	W(OP_PROPOSAL, "提议", "proposed")                                                         \
	W(OP_OTHER, "其他", "other")                                                               \
	W(RETRIED, "{} 条已补上", "{} went through")                                               \
	W(PARKED_LINE, "#{} {} {} 自 {}: {}", "#{} {} {} since {}: {}")                            \
	W(PARKED_WAITS, "等待 {}", "waits for {}")                                                 \
	W(PARKED_MINE, "本机所写", "written here")                                                 \
	W(INIT_DONE, "已建立: {}", "created: {}")                                                  \
	W(INIT_KNOWN, "已有: {}", "already there: {}")                                             \
	W(JOIN_TO, "加入: {} {}", "joining: {} {}")                                                \
	W(JOIN_ASK, "对吗? [y/N] ", "Is that right? [y/N] ")                                       \
	W(REVOKED, "已停用;之前已收的照旧,此后它的记录等人处理 (parked)。",                        \
	  "Retired: what was taken before stays, what comes of it now waits for a person "         \
	  "(parked).")                                                                             \
	W(REVOKE_REVIEW, "其间收到 {} 项改动,请逐项核对。",                                        \
	  "{} changes came in that time: please look at each.")                                    \
	W(APPROVED, "已同意: {} {};请对方再入网一次。", "approved: {} {}; let them join again.")   \
	W(JOIN_CODE, "核对码: {}\n请打电话把这六位数字告诉县级,县级同意后再运行一次 join。",       \
	  "code: {}\nTell the county these six digits by telephone; join again once it has "       \
	  "approved.")                                                                             \
	W(RELEASED, "已放行;它将收到留下的内容。", "Released: it gets what was kept back.")        \
	W(PEER_HELD, "恢复或复制过,待放行 (--release)",                                            \
	  "restored or copied: to be released (--release)")                                        \
	W(ROOT_MADE,                                                                               \
	  "根密钥: {}\n  指纹 {}\n备用根: {}\n  指纹 "                                   \
	  "{}\n两个文件分放两个保险柜,指纹另抄一份;不要留在联网的电脑上。",                        \
	  "root: {}\n  fingerprint {}\nspare root: {}\n  fingerprint {}\nKeep the two files in "   \
	  "two safes and the fingerprints on paper; leave neither on a machine with a network.")   \
	W(ROOT_REQUESTED, "请求已写出,请带到根密钥所在的电脑上签发 (root sign)。",                 \
	  "The request is written: take it to the machine with the root (root sign).")             \
	W(ROOT_SIGNED, "已签发,请带回省级 (root take)。",                                          \
	  "Signed: take the answer back to the province (root take).")                             \
	W(ROOT_IS, "根: {} {}\n  指纹 {}", "root: {} {}\n  fingerprint {}")                        \
	W(ROOT_RENEWED, "已续期: {},有效至 {}", "renewed: {}, valid to {}")                        \
	W(JOIN_DONE, "已入网: {} {}", "joined: {} {}")                                             \
	W(SYNC_GOING, "发 {}/{},收 {}", "sent {}/{}, received {}")                                 \
	W(SYNC_DONE, "发出 {} 条,收到 {} 条,{} 字节", "sent {}, received {}, {} bytes")            \
	W(SYNC_WAITS, "发出 {} 条,收到 {} 条;尚未核对一致",                                        \
	  "sent {}, received {}; not agreed yet")                                                  \
	W(SYNC_SAME, "两边一致。", "Both sides agree.")                                            \
	W(VERIFY_SOUND, "完好。", "Sound.")                                                        \
	W(VERIFY_FORKS, "有 {} 处流水一分为二:有设备恢复过或被复制过;两边的记录都在",              \
	  "{} places where a stream went on in two ways: a device was restored or copied; both "   \
	  "ways are kept")                                                                         \
	W(VERIFY_FOUND, "发现 {} 处问题:", "{} findings:")                                         \
	W(VERIFY_GOING, "核对 {}/{}", "checked {}/{}")                                             \
	W(AUDIT_GOING, "检查 {}/{},发现 {},已修复 {}", "audited {}/{}, found {}, repaired {}")     \
	W(AUDIT_SOUND, "没有不一致。", "Nothing differs.")                                         \
	W(AUDIT_DONE, "发现 {} 处不一致,已修复 {},尚未修复 {}:",                                   \
	  "{} found that differ, {} repaired, {} not yet:")                                        \
	W(AUDIT_ROW, "{} {} 与流水不符", "{} {} is not what the journal says")                     \
	W(AUDIT_STATE, "{} 的校验和不符", "the state hash of {} was off")                          \
	W(AUDIT_FIGURE, "{} 的数字不符", "a figure of {} was off")                                 \
	W(AUDIT_ENTRY, "流水第 {} 条已损坏", "entry {} of the journal is damaged")                 \
	W(AUDIT_TAIL, "{} 有一笔尚未发出的记录已损坏,发不出去;请在表中核对并重新记录",             \
	  "something recorded for {} and not sent yet no longer reads: look its rows over and "    \
	  "record them anew")                                                                      \
	W(AUDIT_DIFFERS, "{} {} 与上级不同", "{} {} differs from the parent's")                    \
	W(AUDIT_OPEN, "未修复", "not repaired")                                                    \
	W(AUDIT_OWN, "已按本机流水修复", "repaired from the own journal")                          \
	W(AUDIT_PEER, "已从对方取回", "taken from a peer again")                                   \
	W(BACKUP_DONE, "已备份到 {} (不含密钥)", "backed up to {} (without the keys)")             \
	W(STATUS_TOLD_BY, "告知有另一份的是", "told of the other copy by")                         \
	W(STATUS_DEVICE, "设备", "device")                                                         \
	W(STATUS_ORG, "单位", "org unit")                                                          \
	W(STATUS_UNSENT, "待传", "unsent")                                                         \
	W(STATUS_RECEIVED, "县级已收", "received")                                                 \
	W(STATUS_MERGED, "已并入", "merged")                                                       \
	W(STATUS_REFUSED, "被退", "refused")                                                       \
	W(STATUS_PARKED, "等待关联", "parked")                                                     \
	W(STATUS_CONFLICTS, "两处改得不同", "conflicts")                                           \
	W(STATUS_CONTACT, "上次联系", "last contact")                                              \
	W(STATUS_NEVER, "从未", "never")                                                           \
	W(STATUS_CLOCK, "时钟差(毫秒)", "clock offset (ms)")                                       \
	W(STATUS_MORE, "另有 {} 项", "{} more")                                                    \
	W(YES, "是", "yes")                                                                        \
	W(NO, "否", "no")                                                                          \
	W(LAMP_DISK_FULL, "磁盘将满,暂停新记录;已存的都在",                                        \
	  "the disk is nearly full: no new records; what is recorded is safe")                     \
	W(LAMP_REVOKED, "本机已被停用;记录仍在", "this device was revoked; its records are there") \
	W(LAMP_IDENTITY, "本机像是恢复或复制的;记录都在,正在核对",                                 \
	  "this looks like a restored or copied device; all records are there, being checked")     \
	W(LAMP_REFUSED, "被退 {} 条", "{} refused")                                                \
	W(LAMP_CERT_EXPIRED, "证书已过期;仍可记录和上传",                                          \
	  "the certificate has expired; recording and sending go on")                              \
	W(LAMP_CLOCK, "本机时钟不准,差 {} 分钟;不影响保存",                                        \
	  "this clock is {} minutes off; records are safe")                                        \
	W(LAMP_WRONG_PEER, "连到的不是县级,可能要网页登录",                                        \
	  "something else answered for the county; perhaps the network wants a login")             \
	W(LAMP_VERSION, "与县级版本不通;照常记录",                                                 \
	  "the county speaks another version; go on recording")                                    \
	W(LAMP_DISK_LOW, "磁盘剩 {} GB", "{} GB of disk left")                                     \
	W(LAMP_CERT_SOON, "证书 {} 天后到期", "the certificate ends in {} days")                   \
	W(LAMP_UNJOINED, "未入网;本机已存 {} 条", "not joined; {} recorded here")                  \
	W(LAMP_UNAPPROVED, "县级未批准;照常记录",                                                  \
	  "not approved by the county yet; go on recording")                                       \
	W(LAMP_REPAIRING, "{} 条不一致,已修复 {}", "{} differ, {} repaired")                       \
	W(LAMP_SENDING, "正在传 {}/{}", "sending {}/{}")                                           \
	W(LAMP_OFFLINE, "无网络,照常记录,待传 {}", "no network, go on recording; {} unsent")       \
	W(LAMP_PENDING, "待传 {} 条,将自动传", "{} unsent, will be sent")                          \
	W(LAMP_CHECKING, "县级已收,正在核对", "received by the county, being checked")             \
	W(LAMP_COMPLETE, "已全部送达,{} 核对一致", "all arrived, agreed at {}")                    \
	W(LAMP_OLD, "截至 {}", "as of {}")                                                         \
	W(LAMP_CHILDREN, "本级已一致,缺 {} 站", "this level agrees; {} sites missing")             \
	W(STATUS_NEXT, "处理", "next")                                                             \
	W(TOLD_RESTORED, "本机像是恢复过的;记录都在,正在核对",                                     \
	  "this device looks restored; all records are there, being checked")                      \
	W(NEXT_RESTORED, "不用处理,联网后缺的会补回",                                              \
	  "nothing to do; online, what is missing comes back")                                     \
	W(TOLD_COPIED, "本机有两份在同时运行(从 {} 起);两份的记录都在",                            \
	  "two copies of this device are running (since {}); the records of both are kept")        \
	W(NEXT_COPIED, "请县级为其中一台重新办入网", "ask the county to enrol one of them anew")   \
	W(TOLD_STOPPED, "本级有两份在同时运行(从 {} 起),已暂停接收下级;记录都在",                  \
	  "two copies of this hub are running (since {}), so it takes nothing from below; all "    \
	  "records are there")                                                                     \
	W(NEXT_STOPPED, "在要留下的那份上运行 jinguo-hub survive",                                 \
	  "run jinguo-hub survive at the copy that is to stay")                                    \
	W(TOLD_SET_ASIDE, "已选定另一份({}),这一份不再使用;记录都在",                              \
	  "another copy was named ({}); this one is set aside, its records are there")             \
	W(NEXT_SET_ASIDE, "用 hand-out 导出,在选定的那份上 hand-in;若选错,在这份上运行 survive",   \
	  "hand-out here, hand-in at the copy that was named; if that was wrong, run survive "     \
	  "here")                                                                                  \
	W(TOLD_BELOW_COPIED, "下级有 {} 台有两份在同时运行", "{} devices below run in two copies") \
	W(NEXT_BELOW_COPIED, "见 peers", "see peers")                                              \
	W(TOLD_HELD, "本机恢复或复制过;记录照常上传,县级内部的内容等县级放行后再下发",             \
	  "this device was restored or copied; what is recorded here goes up, what is the "        \
	  "county's alone comes when a person there has released it")                              \
	W(NEXT_HELD, "请打电话给县级,说明本机在哪里、何时恢复的;放行后缺的会补回",                 \
	  "call the county and say where this computer stands and when it was restored; then "     \
	  "what is missing comes back")                                                            \
	W(TOLD_HELD_CHILD, "从 {} 起像是恢复或复制过;它的记录照收,县级内部的内容等放行后再给它",   \
	  "restored or copied, as seen on {}; its records are taken, what is the county's alone "  \
	  "it gets when released")                                                                 \
	W(NEXT_HELD_CHILD,                                                                         \
	  "打电话核对这台电脑在谁手里,再运行 peers --release 设备 --reason "     \
	  "怎样核对的;若被盗,运行 revoke",                                                         \
	  "find out by telephone who has this computer, then peers --release DEVICE --reason "     \
	  "TEXT; if it was stolen, revoke it")                                                     \
	W(TOLD_BELOW_HELD, "下级有 {} 台恢复或复制过,等本级放行",                                  \
	  "{} devices below were restored or copied and wait to be released here")                 \
	W(NEXT_BELOW_HELD, "见 peers;核对后 peers --release", "see peers; then peers --release")   \
	W(TOLD_AWAITED, "{} 个下级的数据还没有到齐;在那之前以它们报的数为准",                      \
	  "of {} devices below not all is here yet; their figures stand until then")               \
	W(NEXT_AWAITED, "它们下次联网自动补齐;不再使用的请用 revoke 停用",                         \
	  "it comes when they are online next; retire those that are gone with revoke")            \
	W(TOLD_CLOCK, "本机与上级的时钟差 {} 分钟;不影响保存",                                     \
	  "this clock and the parent's differ by {} minutes; records are safe")                    \
	W(NEXT_CLOCK, "请校准本机时钟;若本机是准的,请告诉县级",                                    \
	  "set this clock; if it is right, tell the county")                                       \
	W(TOLD_REFUSED, "被退 {} 条", "{} refused")                                                \
	W(NEXT_REFUSED, "用 refused 查看原因,修改后再提交",                                        \
	  "see refused for the causes; mend and record again")                                     \
	W(TOLD_WAITS_HERE, "这里有 {} 条在等待", "{} wait here")                                   \
	W(NEXT_WAITS_HERE, "用 parked 查看在等什么;到后自动并入",                                  \
	  "see parked for what they wait for; they are merged when it comes")                      \
	W(TOLD_WAITS_ABOVE, "上级有 {} 条在等待:关联记录、前一条修改或上级确认",                   \
	  "{} wait at the parent: for a record that they refer to, a change before them, or a "    \
	  "decision")                                                                              \
	W(NEXT_WAITS_ABOVE, "不用处理;久等请联系县级",                                             \
	  "nothing to do; call the county if it lasts")                                            \
	W(TOLD_NOT_ARRIVED, "三天前封存的公开部分,有 {} 份上上级没有说收到",                       \
	  "of the open part sealed more than three days ago, {} pieces are not confirmed by the "  \
	  "level above the parent")                                                                \
	W(NEXT_NOT_ARRIVED, "请县级查看它与上级的连接;不是县级的问题就告诉上级",                   \
	  "ask the county to look at its link to the province; if that is well, tell the "         \
	  "province")                                                                              \
	W(TOLD_OFFENCE, "它送来 {} 次正常程序不会送的内容,本级没有留下",                           \
	  "it sent {} times what no honest program sends; nothing of it was kept")                 \
	W(NEXT_OFFENCE, "联系该级并检查它的程序和密钥;时间见 peers --json",                        \
	  "call them, and have their program and keys looked at; peers --json says when")          \
	W(DOUBT_CONTRADICTED, "下级说 {},这里的记录是 {}",                                         \
	  "said to be {}, the records here say {}")                                                \
	W(DOUBT_CORRECTED, "其中 {} 是管理该数据的县级自己的更正({}由 {} 说)",                     \
	  "{} of it is the custodian's own correction ({} by {})")                                 \
	W(DOUBT_HUB_FIGURE, "其中 {} 由上级代站点填报(记录 {};由 {} 说)",                          \
	  "{} of it was stated by a hub for the site ({} here; by {})")                            \
	W(DOUBT_UNIT, "这个社区是下级自己建的,本级没有确认;设备 {} 台({};由 {} 建)",               \
	  "this community was made by a hub below and not confirmed here; {} devices ({}; by {})") \
	W(DOUBT_OFFENCE, "它送来 {} 次正常程序不会送的内容({};{})",                                \
	  "it sent {} times what no honest program sends ({}; {})")                                \
	W(DOUBT_OBJECTED, "站点对更正 {} 有异议:{}(由 {} 提出)",                                   \
	  "the site objects to the correction of {}: {} (by {})")                                  \
	W(DOUBT_ANSWER, "县级答复", "answer")                                                      \
	W(DOUBT_ANSWER_NEXT, " 答复:edit {} {}=内容", " (to answer: edit {} {}=TEXT)")             \
	W(STATUS_CORRECTED, "上级更正了本站的数字:{} 项(已提异议 {},已答复 {})",                   \
	  "numbers of this site corrected above: {} ({} objected to, {} answered)")                \
	W(NEXT_CORRECTED, "list correction;不同意:record objection correction=编号 reason=理由",   \
	  "list correction; to object: record objection correction=ID reason=TEXT")                \
	W(MATCH_DOCUMENT, "证件类型和号码相同", "one document")                                    \
	W(MATCH_PHONE, "电话和姓名相同", "one telephone and name")                                 \
	W(MATCH_BIRTH, "姓名和出生日期相同(可能是两个人)",                                         \
	  "one name and birthday (may be two persons)")                                            \
	W(MATCH_NEXT, "请与站点核实后再处理:edit ID vstat=merged,其记录改到保留的编号下",          \
	  "ask the sites; then: edit ID vstat=merged, and their records to the one that stays")    \
	W(STATEMENT_ALL, "不公开类合计", "all closed kinds")                                       \
	W(STATEMENT_NEXT, "还没有公布;核对后加 --state 公布",                                      \
	  "not stated yet: add --state when it is right")                                          \
	W(STATEMENT_SILENT, "{} 个县已公布,{} 个没有公布", "{} counties stated it, {} did not")    \
	W(TOLD_QUOTA, "有 {} 条没有送出,都在本机:", "{} not sent, safe here: ")                    \
	W(NEXT_QUOTA, "上级腾出后会自动继续;着急请联系上级",                                       \
	  "it goes on by itself when the cause is gone; call the parent if it is urgent")          \
	W(TOLD_QUOTA_CHILD,                                                                        \
	  "已暂停接收它的内容(今天收了 {} KiB):", "nothing more is taken of it ({} KiB today): ")  \
	W(NEXT_QUOTA_CHILD, "看它为什么这么多;需要就在 jinguo.ini 的 [hub] 里调高 quota_",         \
	  "see why it is so much; if it is right, raise quota_ in [hub] of jinguo.ini")            \
	W(STATUS_ABOVE, "{}已确认收到 {} / {} 份(它在 {} 说的)",                                   \
	  "{} has confirmed {} of {} pieces (its word of {})")                                     \
	W(TOLD_COPIED_CHILD, "有 {} 份在同时运行,从 {} 起", "{} copies are running, since {}")     \
	W(NEXT_COPIED_CHILD, "在县级重新入网其中一台,再 peers --dismiss",                          \
	  "enrol one of them anew, then peers --dismiss")                                          \
	W(TOLD_RESTORED_CHILD, "像是恢复过的({}),正在核对", "looks restored ({}), being checked")  \
	W(TOLD_CLOCK_CHILD, "它与本级的时钟差 {} 分钟", "its clock and ours differ by {} minutes") \
	W(NEXT_CLOCK_CHILD, "请它校时,或校准本级时钟", "have it set, or set ours")                 \
	W(NEXT_REFUSED_CHILD, "请它用 refused 查看并修改", "have it look at refused and mend")     \
	W(SURVIVE_ASK, "选定这一份,另一份将不再被接受。继续吗?(y/N) ",                             \
	  "Name this copy; the other will not be accepted any more.  Go on? (y/N) ")               \
	W(SURVIVE_DONE,                                                                            \
	  "已选定这一份。上下级联系到后就拒绝另一份;另一份的记录用 hand-out/hand-in 收进。",       \
	  "This copy is the one.  All who meet it will refuse the other; what the other holds "    \
	  "comes in by hand-out and hand-in.")                                                     \
	W(DISMISSED, "已记下,不再提示。", "Noted; it is not shown any more.")                      \
	W(HAND_GOING, "{}/{}", "{}/{}")                                                            \
	W(HANDED_OUT, "已写出 {} 条到 {}", "wrote {} entries to {}")                               \
	W(HANDED_IN, "收进 {} 条,已有 {} 条,未收 {} 条", "took in {}, knew {}, refused {}")        \
	W(IMPORT_LINE, "第{}行: {}: {}", "line {}: {}: {}")                                        \
	W(IMPORT_FORM, "格式不符", "malformed")                                                    \
	W(IMPORT_CODE, "不是12位区划代码", "not a division code of 12 digits")                     \
	W(IMPORT_DUPLICATE, "重复的层级和代码", "level and code stand twice")                      \
	W(IMPORT_ORPHAN, "找不到上级", "no such parent")                                           \
	W(IMPORT_SELF, "上级是自己", "is its own parent")                                          \
	W(IMPORT_REFUSED, "未能存入", "was not recorded")                                          \
	W(IMPORT_GOING, "导入 {}/{}", "imported {}/{}")                                            \
	W(IMPORT_MISSING, "文件里没有了: {} 级 {} {}", "no longer in the file: level {} {} {}")    \
	W(IMPORT_DONE, "新增 {},改动 {},未变 {},文件里没有 {},有问题的行 {}",                      \
	  "new {}, changed {}, unchanged {}, missing in the file {}, bad lines {}")                \
	W(INVITE_DONE, "给 {} {} 的邀请,{} 前有效,只能用一次:",                                    \
	  "an invitation for {} {}, until {}, good once:")                                         \
	W(PEER_AGREED, "一致", "agreed")                                                           \
	W(PEER_BEHIND, "未一致", "not agreed")                                                     \
	W(PEER_NEVER, "未联系过", "never seen")                                                    \
	W(PEER_REVOKED, "已停用", "revoked")                                                       \
	W(COVERAGE_HEAD, "代码\t名称\t社区\t已入网\t有活动\t未覆盖\t志愿者\t活动\t人次\t分钟",     \
	  "code\tname\tcommunities\twith a node\tactive\tnot covered\tvolunteers\tactivities"      \
	  "\tparticipations\tminutes")                                                             \
	W(SUMMARY_HEAD, "代码\t名称\t月份\t指标\t填报\t更正\t合计",                                \
	  "code\tname\tmonth\tkind\tstated\tcorrected\ttotal")                                     \
	W(SUMMARY_UNSETTLED, "未定", "unsettled")                                                  \
	W(SUMMARY_STATED, "  {} 由 {} ({}) 填报", "  {} stated by {} ({})")                        \
	W(SUMMARY_CORRECTED, "  {} 更正,原因 {},所据合计 {}", "  {} corrected, cause {}, base {}") \
	W(ASK_PASSWORD, "密码: ", "password: ")                                                    \
	W(ASK_PASSWORD_OLD, "原密码: ", "the password so far: ")                                   \
	W(ASK_PASSWORD_NEW, "新密码: ", "a new password: ")                                        \
	W(LOGGED_IN, "已登录: {}", "logged in: {}")                                                \
	W(LOGGED_OUT, "已退出。", "Logged out.")                                                   \
	W(ACCOUNT_ADDED, "已建账号: {} ({})", "account made: {} ({})")                             \
	W(ACCOUNT_CHANGED, "账号已改: {}", "account changed: {}")                                  \
	W(ACCOUNT_DISABLED, "停用", "disabled")                                                    \
	W(WHO_DEVICE, "本机还没有账号", "no accounts here yet")                                    \
	W(WHO_SERVICE, "服务程序", "the service")                                                  \
	W(TRAIL_READ, "查看", "read")                                                              \
	W(TRAIL_WRITE, "办理", "did")                                                              \
	W(TRAIL_ENROL, "批准入网", "enrolled")                                                     \
	W(TRAIL_REFUSED, "退回下级记录", "refused records below")                                  \
	W(TRAIL_EXPORT, "导出", "exported")                                                        \
	W(TRAIL_LOGIN, "登录", "logged in")                                                        \
	W(TRAIL_DENIED, "无权,未办", "was denied")                                                 \
	W(TRAIL_FAILED, "没有办成", "did not come about")                                          \
	W(TRAIL_ERASE, "删除个人信息", "erased")                                                   \
	W(TRAIL_OTHER, "其他", "other")                                                            \
	W(TRAIL_SOUND, "日志完整:{} 条,上级签认到第 {} 条。",                                      \
	  "The trail is whole: {} records, signed by the parent up to number {}.")                 \
	W(TRAIL_FAULTY, "日志有 {} 处不对:", "{} findings in the trail:")                          \
	W(TRAIL_EDITED, "第 {} 条被改过(前一条在 {})",                                             \
	  "record {} was altered (the one before is of {})")                                       \
	W(TRAIL_CUT, "从第 {} 条起缺了(前一条在 {})",                                              \
	  "records are missing from number {} on (the one before is of {})")                       \
	W(TRAIL_ENDS, "第 {} 条曾经签出,现在没有了:日志被截短,或磁盘恢复过(最后一条在 {})",        \
	  "record {} was stated, and is not here: cut short, or the disk was restored (the last "  \
	  "is of {})")                                                                             \
	W(TRAIL_DIFFERS, "第 {} 条与签出时不同(前一条在 {})",                                      \
	  "record {} is not the one that was stated (the one before is of {})")                    \
	W(TRAIL_ABOVE, "上级有签认", "the parent has signed it")                                   \
	W(CREDENTIAL_MADE, "已建新的服务凭证。", "a new credential for the service was written.")  \
	W(RECOVERY_MADE, "恢复密钥已写到 {},请锁好;公钥:",                                         \
	  "the recovery key is in {}: lock it away; its public key:")                              \
	W(RECOVERY_STATED, "已公布恢复公钥;下级联系到后即为它另存一份。",                          \
	  "the recovery key is stated; every site below keeps its own for it once it hears of "    \
	  "it.")                                                                                   \
	W(RECOVERY_OPENED, "已打开,并建了新的服务凭证。",                                          \
	  "opened, with a new credential for the service.")                                        \
	W(RECOVERY_LISTENS, "监听 {}(按本机证书;jinguo.ini 里可改)。下一步: run",                  \
	  "it listens at {}, as its certificate says (jinguo.ini). next: run")                     \
	W(CERTIFIED, "已确认: {} ({})", "certified: {} ({})")                                      \
	W(PRIVACY_FIELDS, "本机存有 {} 项(* 在磁盘上是加密的):",                                   \
	  "{} fields are held here (* lies closed on the disk):")                                  \
	W(PRIVACY_ENTRIES, "流水里有 {} 条提到;按规则还存在:",                                     \
	  "{} entries of the journal speak of it; by rule it is also at:")                         \
	W(PRIVACY_READS, "本机记下的查看 {} 次:", "{} times it was read here:")                    \
	W(FROZEN, "(已撤回同意,冻结)", "(consent withdrawn: frozen)")                              \
	W(PRIVACY_WITHDRAWN, "已冻结:只保存,不使用;同步后各处都不再接受对此人的登记和修改。",      \
	  "frozen: kept and not used; once synced, no place takes records or edits of this "       \
	  "person.")                                                                               \
	W(ERASED, "(内容已依法删除)", "(what it said was erased)")                                 \
	W(PRIVACY_ERASED,                                                                          \
	  "已删除 {} 条记录的内容,编号和计数保留;其他各处同步后照办。旧备份里的仍在,到期须销毁。", \
	  "what {} records said is erased here, their numbers and counts stay; every other place " \
	  "does so when it syncs. Old backups still hold it until they are destroyed.")            \
	W(ASK_ERASE, "删除后不可恢复。确定删除这个人的信息吗?",                                    \
	  "This cannot be undone. Erase what is held of this person?")                             \
	W(PRIVACY_RESUMED, "已解除冻结。", "no longer frozen.")                                    \
	W(MASKED, "***", "***")                                                                    \
	W(SUMMARY_MORE, "另有 {} 站缺 (--json 列全)", "{} more are missing (--json lists all)")    \
	W(SUMMARY_MISSING, "缺: {} {} ({})", "missing: {} {} ({})")                                \
	W(MISSING_NO_NODE, "未入网", "no node")                                                    \
	W(MISSING_NO_AGREEMENT, "未核对一致,上次联系 {}", "not agreed, last contact {}")           \
	W(MISSING_NEVER, "从未联系", "never seen")                                                 \
	W(DATA_AS_OF, "数据截至 {},缺 {} 站", "as of {}, {} sites missing")                        \
	W(CASE_SEALED, "已密封到权益专员和离线恢复公钥",                                           \
	  "sealed to the officers and the offline recovery key")                                   \
	W(CASE_CLOSED, "(没有封给您)", "(not closed to you)")                                      \
	W(CASE_UNSIGNED, "注意:作者签名不符,或没有省级证书",                                       \
	  "look out: the author's signature does not hold, or the province has not certified it")  \
	W(CASE_REWRAPPED, "已转封 {} 份;您打不开的 {} 份", "re-wrapped {}; closed to you {}")      \
	W(OFFICER_REQUEST, "请把这一行交给省级,并电话告知六位数 {}:",                              \
	  "Give this line to the province, and tell it these six digits by telephone: {}")         \
	W(OFFICER_CERTIFIED, "已签发证书: {}", "certified for {}")                                 \
	W(OFFICER_REVOKED, "已收回证书;已封给她的记录她仍能打开,须另行处理。",                     \
	  "Taken back; what was sealed to that key it still opens.")

enum word {
#define WORD_NAME(NAME, ZH, EN) WORD_##NAME,
	WORDS(WORD_NAME)
#undef WORD_NAME
	        WORD_COUNT
};

enum language { LANGUAGE_EN = 0, LANGUAGE_ZH = 1 };

/* LC_ALL, LC_MESSAGES, LANG: the first that is not empty says; zh* in UTF-8 is Chinese, else English. */
enum language words_language(const char *lc_all, const char *lc_messages, const char *lang);
const char *word_text(enum language l, enum word w);
/* Appends the sentence with its places filled by the texts, which end with WORD_END. */
#define WORD_END                  ((const char *)NULL)
#define word_fill(OUT, L, W, ...) word_fill_texts(OUT, L, W, (const char *const[]){__VA_ARGS__})
void word_fill_texts(struct buf *out, enum language l, enum word w, const char *const *values);

/* Which of the words is meant by a mistyped one: its index, or -1 when none is near. */
int words_nearest(const char *typed, const char *const *names, size_t count);

#endif

/*
 * error_list.h - every error once, by number: ERROR(NAME, NUMBER, text name, exit code, HTTP status,
 * what happened (zh, en), what to do (zh, en)).  Wording: ux.md section 5 - what happened and why, then
 * the mend; no blame, no personal data.  A number is never given to another error.
 * Included several times, with another ERROR each time: no guard.
 */
/* clang-format off */

/* 1: people */
ERROR(ID_CHECK, 1101, "id_check", EXIT_REFUSED, 422,
      "身份证号校验不符，多半有一位输错。", "The identity card number does not pass its check digit; most likely one digit is mistyped.",
      "请对照证件。", "Compare it with the card.")
ERROR(GUARDIAN, 1102, "guardian", EXIT_REFUSED, 422,
      "未满14周岁，缺监护人同意书。", "Under 14 years of age, and no consent of a guardian is recorded.",
      "请先登记同意书；内容已存草稿。", "Record the consent first; what was typed is kept as a draft.")
ERROR(DUPLICATE, 1103, "duplicate", EXIT_CONFLICT, 409,
      "本机已有此证件号。", "This document number is already recorded here.",
      "请打开原记录。", "Open the record that exists.")
ERROR(MAYBE_SAME, 1104, "maybe_same", EXIT_CONFLICT, 409,
      "姓名、生日、手机尾号与已有的一位相同。", "Name, birthday and the end of the mobile number equal those of a person on record.",
      "请选“同一人”或“不同人”。", "Choose: the same person, or another.")
ERROR(REQUIRED, 1105, "required", EXIT_REFUSED, 422,
      "必填项没有填。", "A required field is empty.",
      "请补填。", "Fill it in.")
ERROR(CODE_UNKNOWN, 1106, "code_unknown", EXIT_REFUSED, 422,
      "所填代码不在代码表里。", "The code is not in the list of this field.",
      "请从列表里选。", "Choose one from the list.")
ERROR(DATE_FORM, 1107, "date_form", EXIT_REFUSED, 422,
      "日期或时间的写法认不出。", "The date or time cannot be read.",
      "请写成2025-03-08这样的日期，时间如2025-03-08T09:30。", "Write a date like 2025-03-08, a time like 2025-03-08T09:30.")
ERROR(TOO_LONG, 1108, "too_long", EXIT_REFUSED, 422,
      "内容超过此项的长度。", "The text is longer than this field holds.",
      "请缩短，或写到备注里。", "Shorten it, or put it into the remarks.")
ERROR(RANGE, 1109, "range", EXIT_REFUSED, 422,
      "数值超出此项的范围。", "The number is outside the range of this field.",
      "请核对数值和单位。", "Check the number and its unit.")
ERROR(PRIVATE_TEXT, 1110, "private_text", EXIT_REFUSED, 422,
      "公开文字里有身份证号或手机号，上级都能看到。", "An open text holds an identity card or mobile number, which every level above could read.",
      "请把号码移到证件或电话栏。", "Move the number to the field for documents or telephones.")
ERROR(CODE_TIER, 1111, "code_tier", EXIT_REFUSED, 422,
      "这个选项涉及隐私，不能放在公开栏。", "This choice is private and does not stand in an open field.",
      "请改填到保密栏，或选更概括的一项。", "Put it into the closed field, or choose a more general one.")
ERROR(NOT_UTF8, 1112, "not_utf8", EXIT_REFUSED, 422,
      "文字的编码不是UTF-8。", "The text is not UTF-8.",
      "请把文件另存为UTF-8再试。", "Save the file as UTF-8 and try again.")
ERROR(FIELD_FORM, 1113, "field_form", EXIT_REFUSED, 422,
      "此项的写法不符合要求。", "The value does not have the form of this field.",
      "请按示例填写。", "Write it as the example shows.")
ERROR(DIVISION_CODE, 1114, "division_code", EXIT_REFUSED, 422,
      "区划代码应为12位数字，前两位为省级代码。", "A division code has 12 digits and begins with that of a province.",
      "请从区划列表里选。", "Choose it from the list of divisions.")
ERROR(CLOSED_NAMED, 1115, "closed_named", EXIT_REFUSED, 422,
      "所指的记录不公开，这一栏各级都能看到。", "The record named here is not open, and every level reads this field.",
      "请改填带 closed_ 的同名栏。", "Use the field of the same name with closed_ before it.")
ERROR(ENVELOPE, 1120, "envelope", EXIT_REFUSED, 422,
      "密封栏里不是密封件，或密封件格式不对。", "The sealed field holds no envelope, or one of a wrong form or size.",
      "请用 case seal 重新密封；明文不要写进密封栏。", "Seal it anew with `case seal`; nothing stands there in clear.")

/* 2: service */
ERROR(OVERLAP, 2101, "overlap", EXIT_CONFLICT, 409,
      "与另一活动的时间重叠。", "The time overlaps that of another activity.",
      "请改时间，或存为“冲突待核”。", "Change the time, or save it for review.")
ERROR(OVER_CAP, 2102, "over_cap", EXIT_REFUSED, 422,
      "当天服务时长超过8小时。", "More than 8 hours of service in one day.",
      "可保存，县级审核后计入。", "It can be saved; it counts once the county has reviewed it.")
ERROR(OVER_DAY, 2103, "over_day", EXIT_REFUSED, 422,
      "一天超过24小时，不能保存。", "More than 24 hours in one day cannot be saved.",
      "请查签退时间。", "Check the time of leaving.")
ERROR(FUTURE, 2104, "future", EXIT_REFUSED, 422,
      "服务时间在将来。", "The time of service lies in the future.",
      "请改时间，或先校准时钟。", "Change the time, or set the clock first.")
ERROR(SECOND, 2105, "second", EXIT_REFUSED, 422,
      "补录须第二人确认。", "An entry made later needs a second person.",
      "已存“申请中”，请另一账号确认。", "It is kept as an application; ask for confirmation from another account.")
ERROR(UNTRAINED, 2106, "untrained", EXIT_REFUSED, 422,
      "此项服务须先培训。", "This service needs a training first.",
      "请换人或登记培训。", "Choose another person, or record the training.")

/* 3: review and money */
ERROR(QUOTA, 3101, "quota", EXIT_REFUSED, 422,
      "超出额度。", "The amount is above the quota.",
      "请改金额，或存“待批”。", "Change the amount, or save it for approval.")
ERROR(LOCKED, 3102, "locked", EXIT_REFUSED, 409,
      "这个月份已锁定。", "This month is locked.",
      "计入本月“补报”，原日期保留。", "It counts as a late entry of this month; its own date is kept.")
ERROR(SELF_REVIEW, 3103, "self_review", EXIT_NO_PERMISSION, 403,
      "不能审核自己的申请。", "Nobody reviews an application of their own.",
      "请由另一位审核人办理。", "Ask another reviewer.")

ERROR(UNSIGNED, 3104, "unsigned", EXIT_NO_PERMISSION, 403,
      "这一步须本人签名。", "This step carries the own signature of the person who decides.",
      "请本人登录后办理。", "Let that person log in and do it.")
ERROR(UNCERTIFIED, 3105, "uncertified", EXIT_NO_PERMISSION, 403,
      "上级还没有确认此人可以审核。", "The level above has not certified this person for this role.",
      "请上级用 account certify 确认。", "Ask the level above for account certify.")
ERROR(OFFICERS, 3110, "officers", EXIT_REFUSED, 409,
      "还没有省级签发的权益专员或离线恢复公钥，不能密封。", "No rights officer, or no offline recovery key, is certified by the province: nothing can be sealed.",
      "请县级用 officer request 申请，省级用 officer certify 签发；officer list 可查。", "The county asks with `officer request`, the province signs with `officer certify`; `officer list` shows them.")

/* 4: identity */
ERROR(INVITE_OLD, 4101, "invite_old", EXIT_REFUSED, 410,
      "邀请已过期。", "The invitation has expired.",
      "请县级重发；可先记录。", "Ask the county for a new one; recording works meanwhile.")
ERROR(INVITE_USED, 4102, "invite_used", EXIT_REFUSED, 410,
      "邀请已被别的电脑用过。", "The invitation was used by another computer.",
      "若非本站，请告诉县级。", "If that was not this site, tell the county.")
ERROR(WRONG_CODE, 4103, "wrong_code", EXIT_REFUSED, 422,
      "核对码不对。", "The check code is not the right one.",
      "请向县级核实后再输。", "Ask the county for it and try again.")
ERROR(TOKEN_FORM, 4104, "token_form", EXIT_USAGE, 422,
      "邀请码不完整或有错字。", "The invitation is incomplete or mistyped.",
      "请重新复制整段邀请码。", "Copy the whole invitation again.")
ERROR(INVITE_UNKNOWN, 4105, "invite_unknown", EXIT_NOT_FOUND, 404,
      "县级没有这份邀请。", "The county does not know this invitation.",
      "请县级重发；可先记录。", "Ask the county for a new one; recording works meanwhile.")
ERROR(WRONG_KEY, 4106, "wrong_key", EXIT_REFUSED, 403,
      "连到的不是邀请里的那一级。", "The other side is not the one that the invitation names.",
      "请检查网络和地址，或请县级重发邀请。", "Check network and address, or ask the county for a new invitation.")
ERROR(NOT_JOINED, 4107, "not_joined", EXIT_REFUSED, 409,
      "本机还未入网。", "This computer has not joined yet.",
      "请先入网；可先记录。", "Join first; recording works meanwhile.")
ERROR(ALREADY_JOINED, 4108, "already_joined", EXIT_REFUSED, 409,
      "本机已经入网。", "This computer has joined already.",
      "不用再做；要换单位请找县级。", "Nothing to do; ask the county to change the unit.")
ERROR(CERT_BAD, 4109, "cert_bad", EXIT_REFUSED, 403,
      "证书与签发单位对不上。", "The certificate does not match its issuer.",
      "请县级重新签发。", "Ask the county to issue it again.")
ERROR(CERT_EXPIRED, 4110, "cert_expired", EXIT_REFUSED, 403,
      "证书已过期；仍可记录和上传。", "The certificate has expired; recording and sending still work.",
      "请县级续期。", "Ask the county to renew it.")
ERROR(NOT_YOURS, 4111, "not_yours", EXIT_NO_PERMISSION, 403,
      "这条记录属于别的单位。", "This record belongs to another unit.",
      "请由所属单位修改。", "Ask that unit to change it.")
ERROR(OWNED, 4112, "owned", EXIT_NO_PERMISSION, 403,
      "此项由上级填写。", "This field is written by a level above.",
      "可提出修改建议，由上级确认。", "Propose the change; that level decides.")
ERROR(NO_PERMISSION, 4113, "no_permission", EXIT_NO_PERMISSION, 403,
      "这个账号不能做这件事。", "This account may not do that.",
      "请由有此权限的人办理。", "Ask somebody who may.")
ERROR(REVOKED, 4114, "revoked", EXIT_NO_PERMISSION, 403,
      "本机已被停用；记录仍在。", "This computer was retired; its records are still here.",
      "请联系县级。", "Call the county.")
ERROR(COPIED, 4115, "copied", EXIT_REFUSED, 409,
      "上级有两份在同时运行，已暂停接收；记录都在本机。", "Two copies of the level above are running, so it takes nothing for now; all records are safe here.",
      "不用处理，照常记录；上级选定一份后自动续传。", "Go on recording; it goes on by itself once that level has named one of the two.")
ERROR(SET_ASIDE, 4116, "set_aside", EXIT_REFUSED, 409,
      "两份中已选定另一份，这一份不再使用；它的记录都在。", "Of two copies the other one was named; this one is set aside, with all its records.",
      "请用 hand-out 导出这一份，在选定的那份上用 hand-in 收进。", "Write its journal to a file with hand-out, and take that in with hand-in at the copy that was named.")

ERROR(APPROVAL, 4117, "approval", EXIT_REFUSED, 409,
      "等待县级核对。", "The county has to approve this computer first.",
      "请打电话把六位核对码告诉县级，再入网一次。", "Tell the county the six digits by telephone, then join again.")

ERROR(FROZEN, 4118, "frozen", EXIT_REFUSED, 409,
      "此人已撤回同意，信息已冻结：只保存，不使用。", "This person withdrew consent: what is held of them is kept and not used.",
      "需要更正请由县级办理；本人重新同意的，用 privacy resume。", "The county can correct it; if the person consents again, use privacy resume.")

ERROR(ERASED, 4119, "erased", EXIT_REFUSED, 410,
      "这条记录的内容已依法删除，只留编号和计数。", "What this record said was erased by law; its number and what it counts in stay.",
      "不能再修改；确有需要请作为新的记录登记。", "It cannot be edited; enter a new record if there is a reason to.")

ERROR(NOT_FOR_YOU, 4120, "not_for_you", EXIT_NO_PERMISSION, 403,
      "这份密封件没有封给您的密钥。", "This envelope is not closed to your key.",
      "请能开启的专员用 case rewrap 转封给您。", "Ask an officer who can open it for `case rewrap`.")
ERROR(LOGIN, 4131, "login", EXIT_NO_PERMISSION, 401,
      "请先登录；本机设了账号。", "Log in first: this computer has accounts.",
      "用 login 登录；脚本用 --service。", "Use login; scripts use --service.")
ERROR(LOGIN_WRONG, 4132, "login_wrong", EXIT_NO_PERMISSION, 401,
      "账号或密码不对。", "Account or password is not right.",
      "请再输一次；忘了请站长或管理员重设。", "Try again; if it is forgotten, ask the head of the site to set a new one.")
ERROR(LOCKED_OUT, 4133, "locked_out", EXIT_NO_PERMISSION, 429,
      "密码连续输错，账号暂时锁住。", "Too many wrong passwords: the account is locked for a while.",
      "请稍后再试，或请站长、管理员解锁。", "Wait, or ask the head of the site or the administrator to unlock it.")
ERROR(PASSWORD_FORM, 4134, "password_form", EXIT_REFUSED, 422,
      "密码太短或太简单。", "The password is too short or too simple.",
      "至少8个字符，不用账号名。", "At least 8 characters, and not the name of the account.")
ERROR(ROLES_FORM, 4135, "roles_form", EXIT_REFUSED, 422,
      "这些角色不能由一个人兼任，或不属于本级。", "One person may not have these roles together, or they are not of this level.",
      "请分给不同的人。", "Give them to different people.")
ERROR(LAST_MANAGER, 4136, "last_manager", EXIT_CONFLICT, 409,
      "这是最后一个能管理账号的人。", "This is the last person who can manage accounts.",
      "请先给另一个人这个角色。", "Give another person that role first.")

ERROR(CLOSED, 4137, "closed", EXIT_NO_PERMISSION, 401,
      "本机的保密内容是加密的，打开它要登录或服务凭证。", "What is private here lies encrypted: it takes a login, or the service's credential, to open it.",
      "请用 login 登录，或放回 service.key。", "Log in, or put service.key back.")

/* 5: sync */
ERROR(VERSION, 5101, "version", EXIT_VERSION, 426,
      "与县级版本不通。", "This version and the county's do not understand each other.",
      "记录照常；请升级。", "Recording goes on; please upgrade.")
ERROR(CONFLICT, 5102, "conflict", EXIT_CONFLICT, 409,
      "同一项两处改得不同，都已保留。", "One field was changed differently in two places; both are kept.",
      "请选一个。", "Choose one.")
ERROR(PROTOCOL, 5103, "protocol", EXIT_UNEXPECTED, 400,
      "收到的数据读不懂。", "What came in cannot be understood.",
      "本机记录不受影响；请检查网络，再升级两端程序。", "The records here are unharmed; check the network, then upgrade both sides.")
ERROR(CEILING, 5104, "ceiling", EXIT_REFUSED, 422,
      "内容高于允许上传的级别，没有传出。", "The content may not travel so far and was not sent on.",
      "不用处理；若常见，请升级程序。", "Nothing to do; if it happens often, upgrade.")
ERROR(SIGNATURE, 5105, "signature", EXIT_REFUSED, 422,
      "数据与签名不符，未采用。", "The data does not match its signature and was not used.",
      "请重新传送；若再出现，请联系县级。", "Send it again; if it comes back, call the county.")
ERROR(UNKNOWN_ORIGIN, 5106, "unknown_origin", EXIT_REFUSED, 403,
      "数据来自还不认识的电脑。", "The data comes from a computer not known here yet.",
      "等待它的证书；或请县级核对。", "It waits for the certificate; or ask the county.")
ERROR(UNREACHABLE, 5107, "unreachable", EXIT_UNREACHABLE, 503,
      "连不上县级；照常记录。", "The county cannot be reached; recording goes on.",
      "稍后自动再试；急用可带离线包。", "It is tried again by itself; a bundle can be carried meanwhile.")
ERROR(NO_PARENT, 5108, "no_parent", EXIT_USAGE, 409,
      "还没有设置上级地址。", "No parent is configured.",
      "请先入网，或用离线包传送。", "Join first, or use a bundle.")
ERROR(MISSING_REF, 5109, "missing_ref", EXIT_PARTLY, 409,
      "等待关联记录。", "It waits for a record that it refers to.",
      "不用处理，关联记录到后自动并入。", "Nothing to do; it is merged when that record comes.")
ERROR(MISSING_ROW, 5110, "missing_row", EXIT_PARTLY, 409,
      "要改的记录还没收到。", "The record that it changes has not come yet.",
      "不用处理，记录到后自动并入。", "Nothing to do; it is merged when the record comes.")
ERROR(REFUSED, 5111, "refused", EXIT_REFUSED, 422,
      "县级没有采用这条记录，内容仍在本机。", "The county did not take this record; it is still here.",
      "请按原因修改后再提交，或联系县级。", "Mend it by the cause given, or call the county.")
ERROR(LIMIT, 5112, "limit", EXIT_REFUSED, 413,
      "数据超过一次能传的大小。", "The data is larger than one message may be.",
      "请把内容分成几条。", "Divide it into several records.")
ERROR(GAP, 5113, "gap", EXIT_PARTLY, 409,
      "中间有一段还没收到。", "A part in between has not come yet.",
      "不用处理，会自动补传。", "Nothing to do; it is asked for.")
ERROR(DIFFERS, 5114, "differs", EXIT_NOT_COMPLETE, 409,
      "两端核对不一致，正在修复。", "Both sides differ and are being repaired.",
      "请等待；若一天后仍在，请联系县级。", "Wait; if it lasts a day, call the county.")
ERROR(ONE_NAME_TWICE, 5115, "one_name_twice", EXIT_CONFLICT, 409,
      "同一编号有两份不同的数据，都已保留。", "Two different pieces of data carry one number; both are kept.",
      "本机像是恢复或复制的，请联系县级核对。", "A computer was restored or copied; ask the county to check.")
ERROR(NOT_COMPLETE, 5116, "not_complete", EXIT_NOT_COMPLETE, 409,
      "还没有全部送达。", "Not everything has been delivered yet.",
      "请联网等待，或立即同步。", "Stay online and wait, or sync now.")
ERROR(BEHIND, 5117, "behind", EXIT_PARTLY, 409,
      "排在一条待处理的修改之后。", "It waits behind a change that is held.",
      "前一条处理后自动并入。", "It is merged after that one.")
ERROR(PROPOSAL, 5118, "proposal", EXIT_PARTLY, 409,
      "已作为修改建议，待上级确认。", "It became a proposal for the level above.",
      "请等上级确认。", "Wait for the decision there.")
ERROR(PART, 5119, "part", EXIT_PARTLY, 409,
      "大的修改只到了一部分。", "Only a part of a large change has come.",
      "不用处理，其余到后一起并入。", "Nothing to do; it is merged when the rest comes.")
ERROR(WRONG_PEER, 5120, "wrong_peer", EXIT_UNREACHABLE, 502,
      "连到的不是县级，可能要网页登录。", "What answers is not the county; the network may want a login on a web page.",
      "请打开浏览器检查网络，再重试。", "Open a browser to check the network, then try again.")

/* 6: machine */
ERROR(DISK_FULL, 6101, "disk_full", EXIT_STORAGE, 507,
      "磁盘已满，这条未保存，仍在屏幕上。", "The disk is full; this was not saved and is still on the screen.",
      "请清出200 MB。", "Free 200 MB.")
ERROR(STORAGE, 6102, "storage", EXIT_STORAGE, 500,
      "写入磁盘没有成功，这条未保存。", "Writing to the disk did not succeed; this was not saved.",
      "请再试；若再出现，请备份并检查磁盘。", "Try again; if it comes back, make a backup and check the disk.")
ERROR(DATABASE_DAMAGED, 6103, "database_damaged", EXIT_STORAGE, 500,
      "数据文件有损坏。", "The data file is damaged.",
      "请勿删除文件；用最近的备份恢复，缺的会从县级补回。", "Do not delete it; restore the last backup, and the county sends what is missing.")
ERROR(NEWER_FILE, 6104, "newer_file", EXIT_VERSION, 500,
      "数据文件是更新版本的程序写的。", "The data file was written by a newer program.",
      "请升级程序；数据没有改动。", "Upgrade the program; nothing was changed.")
ERROR(BUSY, 6105, "busy", EXIT_BUSY, 503,
      "另一个操作正在进行。", "Another operation is under way.",
      "请稍等再试。", "Wait a moment and try again.")
ERROR(KEYS, 6106, "keys", EXIT_STORAGE, 500,
      "本机的密钥读不出来。", "The keys of this computer cannot be read.",
      "请检查数据目录的权限；县（省）机用备份和恢复密钥：recovery open；否则重新入网。",
      "Check the permissions of the data directory; a hub's backup is opened with `recovery open`; else join again.")
ERROR(CONFIG, 6107, "config", EXIT_USAGE, 500,
      "配置文件有一处看不懂。", "A line of the configuration cannot be understood.",
      "请按所指的行修改。", "Mend the line that is named.")
ERROR(INTERNAL, 6108, "internal", EXIT_UNEXPECTED, 500,
      "程序自身出了差错；已存的记录都在。", "The program made a mistake of its own; what was saved is safe.",
      "请重开程序；若再出现，请把编号告诉县级。", "Start it again; if it comes back, tell the county this number.")
ERROR(CLOCK, 6109, "clock", EXIT_REFUSED, 409,
      "本机时钟不准；不影响保存。", "The clock of this computer is wrong; saving still works.",
      "请校时。", "Set the clock.")
ERROR(NO_DIRECTORY, 6110, "no_directory", EXIT_NOT_FOUND, 500,
      "找不到数据目录。", "The data directory does not exist.",
      "请先初始化，或检查路径。", "Initialise first, or check the path.")
ERROR(EXISTS, 6111, "exists", EXIT_CONFLICT, 409,
      "已经存在，没有覆盖。", "It exists already and was not overwritten.",
      "请换一个名字或目录。", "Choose another name or directory.")

ERROR(QUOTA_DAY, 6120, "quota_day", EXIT_BUSY, 429,
      "上级今天从本机收得够多了，暂不再收；没有送到的都在本机。", "The parent has taken as much as it takes from this device in a day; the rest is safe here.",
      "不用处理，明天会继续送；若每天如此，请县级调高限额。", "Nothing to do: it goes on tomorrow; if it is so every day, the county raises the quota.")
ERROR(QUOTA_JOURNAL, 6121, "quota_journal", EXIT_BUSY, 429,
      "上级为本机留的空间用完了，暂不再收；没有送到的都在本机。", "The space that the parent keeps for this device is used up; what was not sent is safe here.",
      "请县级查看本机并调高限额。", "Ask the county to look at this device and raise its quota.")
ERROR(QUOTA_PARKED, 6122, "quota_parked", EXIT_BUSY, 429,
      "本机有太多记录在上级等待关联，暂不再收；没有送到的都在本机。", "Too many records of this device wait at the parent for others; what was not sent is safe here.",
      "请县级用 parked 查看在等什么。", "Ask the county to see with parked what they wait for.")
ERROR(QUOTA_RUNS, 6123, "quota_runs", EXIT_BUSY, 429,
      "本机今天重启或恢复的次数太多，上级暂不再收；没有送到的都在本机。", "This device was started anew or restored too often today; what was not sent is safe here.",
      "请检查本机是否有两份在运行，或请县级查看。", "See whether it runs in two copies, or ask the county.")

/* 7: files */
ERROR(IMPORT_ROW, 7101, "import_row", EXIT_PARTLY, 422,
      "有一行的内容认不出，其余各行可导入。", "One row cannot be read; the others can be imported.",
      "请改正这一行后再导入。", "Mend that row and import it again.")
ERROR(FILE_READ, 7102, "file_read", EXIT_NOT_FOUND, 422,
      "文件打不开。", "The file cannot be opened.",
      "请检查路径和权限。", "Check its path and permissions.")
ERROR(FILE_FORM, 7103, "file_form", EXIT_REFUSED, 422,
      "文件不是所要的格式，或不完整。", "The file is of another kind, or incomplete.",
      "请重新导出或重新复制。", "Export or copy it again.")
ERROR(JSON_FORM, 7104, "json_form", EXIT_USAGE, 400,
      "JSON写法有误。", "The JSON cannot be read.",
      "请按所指的位置修改。", "Mend it at the place named.")
ERROR(FILE_WRITE, 7105, "file_write", EXIT_STORAGE, 500,
      "文件写不进去。", "The file cannot be written.",
      "请检查位置、权限和剩余空间。", "Check place, permissions and free space.")

/* 8: usage */
ERROR(USAGE, 8101, "usage", EXIT_USAGE, 400,
      "命令的写法不对。", "The command is not used that way.",
      "请看 --help 里的例子。", "See the examples of --help.")
ERROR(UNKNOWN_COMMAND, 8102, "unknown_command", EXIT_USAGE, 404,
      "没有这个命令。", "There is no such command.",
      "请看 --help 里的命令表。", "See the list of --help.")
ERROR(UNKNOWN_TABLE, 8103, "unknown_table", EXIT_USAGE, 404,
      "没有这个表。", "There is no such table.",
      "请用 schema 查看表名。", "See `schema` for the names.")
ERROR(UNKNOWN_FIELD, 8104, "unknown_field", EXIT_USAGE, 400,
      "表里没有这一项。", "The table has no such field.",
      "请用 schema 查看字段名。", "See `schema` for the names.")
ERROR(NOT_FOUND, 8105, "not_found", EXIT_NOT_FOUND, 404,
      "没有找到这条记录。", "There is no such record here.",
      "请核对编号；也可能还没同步到本机。", "Check the number; it may also not have come here yet.")
ERROR(MISSING_OPTION, 8106, "missing_option", EXIT_USAGE, 400,
      "少写了一个选项。", "An option is missing.",
      "请补上后再试。", "Add it and try again.")

/* clang-format on */

#!/bin/bash
# suite_commands.sh - the command line of the real programs: exit codes, named fields, JSON, languages,
# keys, records on one device before joining, damaged and newer databases, a full disk.
# suite-timeout: 120
set -u
cd "$(dirname "$0")/.." || exit 1
build=$PWD/${JINGUO_BUILD:-build/debug}
node=$build/jinguo-node hub=$build/jinguo-hub
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
export LC_ALL=C.UTF-8
unset JINGUO_DIR NO_COLOR LC_MESSAGES LANG

ok() { echo "ok $1"; }
not_ok() {
	echo "not ok $1"
	sed 's/^/    | /' out err 2>/dev/null | head -20
}
check() { # NAME COMMAND...: the command must succeed
	local name=$1
	shift
	if "$@"; then ok "$name"; else not_ok "$name"; fi
}
run() { "$@" >out 2>err </dev/null; rc=$?; }
# code NAME EXIT COMMAND...: runs, compares the exit code
code() {
	local name=$1 want=$2
	shift 2
	run "$@"
	if [ "$rc" = "$want" ]; then ok "$name"; else echo "    exit $rc, not $want"; not_ok "$name"; fi
}
fails() { ! "$@" >out 2>err; }
out_has() { grep -qF -- "$1" out; }
err_has() { grep -qF -- "$1" err; }
id_of() { grep -oE '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}' "${1:-out}" | head -1; }

# ---- usage
code help 0 "$node" --help
check help_begins_with_examples grep -qm1 '^examples:' <(head -1 out)
code help_of_command 0 "$node" record --help
check help_command_example out_has "jinguo-node record volunteer"
code no_command 2 "$node"
code unknown_command 2 "$node" recrod volunteer
check nearest_command err_has 'Did you mean "record"?'
code unknown_two_words 2 "$hub" org imprt x
check nearest_two_words err_has 'Did you mean "org import"?'
code unknown_option 2 "$node" status --jsno
check nearest_option err_has 'Did you mean "json"?'
code option_needs_value 2 "$node" status --dir
code no_directory_said 2 "$node" status
check no_directory_named err_has '--dir'
code too_many_arguments 2 "$node" status more
code unknown_table 2 "$node" list volunter --dir d
check nearest_table err_has 'Did you mean "volunteer"?'
code version 0 "$node" --version
code place_missing 3 "$node" status --dir nothing-here

# ---- languages
run env LC_ALL=zh_CN.UTF-8 "$node" --help
check chinese_help out_has 例子
run env LC_ALL= LC_MESSAGES=zh_CN.utf8 LANG=en_US.UTF-8 "$node" recrod
check chinese_messages err_has '错误 JG-8102'
check chinese_mend err_has '处理:'
run env LC_ALL=zh_CN.GBK "$node" recrod
check other_charset_is_english err_has 'error JG-8102'
run env LC_ALL= LANG=zh_CN.UTF-8 "$node" status --json --dir nothing-here
check json_names_do_not_vary err_has '"name":"no_directory"'

# ---- making a place
code init 0 "$node" init --dir n
check directory_mode [ "$(stat -c %a n)" = 700 ]
check sign_key_mode [ "$(stat -c %a n/sign.key)" = 600 ]
check link_key_mode [ "$(stat -c %a n/link.key)" = 600 ]
check database_mode [ "$(stat -c %a n/jinguo.db)" = 600 ]
code init_twice 5 "$node" init --dir n
chmod 644 n/sign.key
code open_key_refused 9 "$node" status --dir n
chmod 600 n/sign.key
code implicit_init 0 "$node" record activity title=义诊 start=2025-03-08T09:00 astat=finished act=0 --dir implicit
code status 0 "$node" status --json --dir n
for key in device run org unsent received merged refused parked conflicts last_contact clock_offset_ms lamp complete; do
	check "status_$key" out_has "\"$key\":"
done
check status_unjoined out_has '"lamp":"unjoined"'
code status_check 12 "$node" status --check --dir n

# ---- records
export JINGUO_DIR=$work/n
code record 0 "$node" record volunteer name=林秀英 vstat=active registered=2025-03-08
id=$(id_of)
check record_prints_id [ -n "$id" ]
code record_json 0 "$node" record volunteer name=陈玉兰 vstat=active registered=2025-03-09 --json
check record_json_form grep -qE '^\{"schema":"volunteer@1","as_of":"[^"]*\+08:00","complete":false,"items":\[\{"id":"[^"]*","table":"volunteer"\}\],"next":null\}$' out
code record_bad_id_number 4 "$node" record volunteer name=甲 vstat=active registered=2025-03-08 id_type=01 id_no=110105194912310021
check record_bad_field_named err_has volunteer.id_no
check record_value_not_repeated grep -qvF 110105194912310021 err
code record_bad_json_error 4 "$node" record volunteer name=甲 vstat=active registered=2025-13-01 --json
check json_error_form grep -qE '^\{"error":\{"code":1107,"name":"date_form","field":"volunteer.registered",.*"message":".+","detail":".*","fix":".+"\}\}$' err
code record_required 4 "$node" record volunteer vstat=active registered=2025-03-08
check record_required_named err_has volunteer.name
code record_unknown_code 4 "$node" record volunteer name=甲 vstat=nosuch registered=2025-03-08
check record_unknown_code_named err_has volunteer.vstat
code record_typo_field 2 "$node" record volunteer nmae=甲
check nearest_field err_has 'Did you mean "name"?'
code record_no_equals 2 "$node" record volunteer name
code record_system_table 8 "$node" record figure value=1
code list 0 "$node" list volunteer
check list_rows [ "$(wc -l <out)" = 2 ]
code list_where 0 "$node" list volunteer --where name=林秀英 --json
check list_where_one [ "$(grep -o '"id":' out | wc -l)" = 1 ]
code list_limit 0 "$node" list volunteer --limit 1 --json
check list_next grep -qE '"next":"[0-9a-f-]{36}"' out
code list_after 0 "$node" list volunteer --json --after "$(grep -oE '"next":"[^"]*' out | cut -d'"' -f4)"
check list_after_rest [ "$(grep -o '"alive":' out | wc -l)" = 1 ]
code list_bad_where 2 "$node" list volunteer --where nosuch=1
code show 0 "$node" show "$id"
check show_value out_has 林秀英
code show_unknown 3 "$node" show 00000000-0000-7000-8000-000000000001
code show_no_id 2 "$node" show x
code edit 0 "$node" edit "$id" phone=13800000000 name=林秀瑛
code edit_refused 4 "$node" edit "$id" phone=12
check edit_field_named err_has volunteer.phone
code delete 0 "$node" delete "$id"
code delete_listed 0 "$node" list volunteer
check deleted_gone [ "$(grep -c "$id" out)" = 0 ]
code edit_deleted 3 "$node" edit "$id" phone=13800000001
code restore 0 "$node" restore "$id"
code history 0 "$node" history "$id" --json
check history_ops [ "$(grep -oE '"op":"[a-z]+"' out | cut -d'"' -f4 | tr '\n' ' ')" = "insert update delete restore " ]
check history_values out_has '"phone":"13800000000"'
code history_text 0 "$node" history "$id"
check history_lines [ "$(wc -l <out)" = 4 ]

# ---- JSON lines
cat >good.jsonl <<-'END'
	{"table":"volunteer","as":"v1","name":"王一","vstat":"active","registered":"2025-03-01","act_interest":["0","D1"]}
	{"table":"activity","as":"a1","title":"清洁家园","start":"2025-03-08T09:00:00+08:00","astat":"finished","act":"0","hh_served":3,"insurance":true}
	{"table":"participation","volunteer":"@v1","activity":"@a1","in":"2025-03-08T09:00","out":"2025-03-08T10:00","minutes":60,"hsrc":"1","hstat":"2","act":"0"}
END
cat >bad.jsonl <<-'END'
	{"table":"volunteer","as":"v1","name":"王二","vstat":"active","registered":"2025-03-01"}
	{"table":"participation","volunteer":"@v9","in":"2025-03-08T09:00","minutes":60,"hsrc":"1","hstat":"2"}
	not json

	{"table":"volunteer","name":"王三","vstat":"active","registered":"2025-13-01"}
	{"table":"volunteer","name":"王四","vstat":"active","registered":"2025-03-02"}
END
"$node" record --json - <good.jsonl >out 2>err
check lines_exit [ $? = 0 ]
check lines_items [ "$(grep -oE '"as":"[av]1"' out | wc -l)" = 2 ]
check lines_ids [ "$(grep -o '"id":' out | wc -l)" = 3 ]
"$node" record --json - <bad.jsonl >out 2>err
check lines_partly [ $? = 10 ]
check lines_others_done [ "$(grep -o '"id":' out | wc -l)" = 2 ]
check lines_errors [ "$(grep -oE '"line":[0-9]+' err | tr '\n' ' ')" = '"line":2 "line":3 "line":5 ' ]
check lines_field err_has '"field":"volunteer.registered"'
"$node" list volunteer --json >before 2>err
"$node" record --json - --atomic <bad.jsonl >out 2>err
check atomic_refused [ $? = 3 ]
check atomic_nothing grep -q '"items":\[\]' out
"$node" list volunteer --json >after 2>err
check atomic_left_nothing [ "$(grep -o '"id":' before | wc -l)" = "$(grep -o '"id":' after | wc -l)" ]
"$node" record --json - --atomic <good.jsonl >out 2>err
check atomic_done [ $? = 0 ]
code json_real_refused 2 bash -c "echo '{\"table\":\"activity\",\"hh_served\":1.5}' | $node record --json -"
"$node" list participation --json >out 2>err
check references_kept [ "$(grep -oE '"volunteer":"[0-9a-f-]{36}"' out | wc -l)" = 2 ]
check minutes_are_integers out_has '"minutes":60'
"$node" list activity --json >out 2>err
check booleans out_has '"insurance":true'

# ---- schema
code schema_json 0 "$node" schema --json
check schema_json_table out_has '"participation"'
code schema_sql 0 "$node" schema --sql
check schema_sql_table grep -qi 'create table' out
code schema_markdown 0 "$node" schema --markdown
check schema_markdown_table out_has 志愿者
code schema_none 2 "$node" schema

# ---- care
code verify 0 "$node" verify
code verify_json 0 "$node" verify --json
check verify_sound out_has '"sound":true'
code audit 0 "$node" audit
code audit_deep 0 "$node" audit --deep --json
check audit_sound out_has '"items":[]'
python3 -c 'import sqlite3, sys
c = sqlite3.connect(sys.argv[1])
assert c.execute("UPDATE activity SET title = title || 1").rowcount > 0
c.commit()' "$JINGUO_DIR/jinguo.db"
code verify_damaged 9 "$node" verify
code audit_mends 0 "$node" audit --deep
check audit_mended out_has 'repaired from the own journal'
code verify_mended 0 "$node" verify
code backup 0 "$node" backup "$work/backup.db"
check backup_there [ -s "$work/backup.db" ]
code backup_no_overwrite 5 "$node" backup "$work/backup.db"
code conflicts 0 "$node" conflicts --json
code parked 0 "$node" parked --json
code parked_retry 0 "$node" parked --retry all --json
check parked_retry_form out_has '"mended":0'
code refused 0 "$node" refused --json
check refused_form out_has '"items":[]'

# ---- joining and syncing without anybody
code sync_unjoined 4 "$node" sync
check sync_unjoined_named err_has JG-4107
code join_no_token 2 "$node" join nonsense
echo nonsense | "$node" join - >out 2>err
check join_stdin [ $? = 2 ]

# ---- files that are not as they should be
unset JINGUO_DIR
cp -r n newer
printf '\000\000\377\377' | dd of=newer/jinguo.db bs=1 seek=60 conv=notrunc 2>/dev/null
code newer_database 11 "$node" status --dir newer
code newer_database_record 11 "$node" record activity title=x start=2025-03-08T09:00 astat=draft --dir newer
cp -r n cut
truncate -s 20000 cut/jinguo.db
code truncated_database 9 "$node" status --dir cut
cp -r n noise
head -c 65536 /dev/urandom >noise/jinguo.db
code noise_database 9 "$node" status --dir noise
mkdir -p nokeys && cp -r n/. nokeys && rm nokeys/sign.key
code missing_key 9 "$node" status --dir nokeys
cp -r n badini
printf '[sync]\nseal_ms = abc\n' >>badini/jinguo.ini
code bad_setting 2 "$node" status --dir badini
check bad_setting_named err_has seal_ms

# ---- no room: a limit on file size stands in for a full disk
cp -r n full
size=$(($(stat -c %s full/jinguo.db) / 1024))
(
	trap '' XFSZ
	ulimit -f "$size"
	for i in $(seq 400); do
		printf '{"table":"activity","title":"%0170d","start":"2025-03-08T09:00","astat":"draft","act":"0","risk":"%0590d"}\n' 0 0
	done | "$node" record --json - --dir full >out 2>err
	echo $? >rc
)
check full_disk_exit grep -qxE '9|10' rc
check full_disk_said grep -qE '"code":61[0-9][0-9]' err
code full_disk_sound 0 "$node" verify --dir full
code full_disk_records_again 0 "$node" record activity title=后来 start=2025-03-08T09:00 astat=draft act=0 --dir full
"$node" schema --json >/dev/full 2>err
check full_stdout [ $? = 9 ]

# ---- hub
code hub_help 0 "$hub" --help
code hub_init 0 "$hub" init --listen tcp://127.0.0.1:17443 --dir h
code root_bad_code 4 "$hub" root init bad.root --org 35
code root_init 0 "$hub" root init top.root --org 350000000000 --name 福建省 --json
fingerprint=$(sed 's/.*"root":"\([0-9a-f]*\)".*/\1/' out)
check root_two_files [ -s top.root.spare ]
check root_is_secret [ "$(stat -c %a top.root top.root.spare | sort -u)" = 600 ]
code root_not_again 5 "$hub" root init top.root --org 350000000000
code root_request 0 "$hub" root request top.request --dir h
code root_sign 0 "$hub" root sign top.root top.request top.answer
sed 's/.$/x/' top.request >bad.request
check root_sign_changed_request fails "$hub" root sign top.root bad.request bad.answer
code root_take_unasked 2 "$hub" root take top.answer --no-input --dir h
code root_take_wrong_root 4 "$hub" root take top.answer --fingerprint "$(echo "$fingerprint" | tr 0-9a-f 1-9a-f0)" --dir h
code root_take 0 "$hub" root take top.answer --fingerprint "$fingerprint" --dir h
check root_stays_offline fails grep -rqF "$(cut -c 6-60 top.root)" h
export JINGUO_DIR=$work/h
printf 'code\tlevel\tname\tparent_code\n350000000000\t2\t福建省\t\n350500000000\t3\t泉州市\t350000000000\n350527000000\t4\t金门县\t350500000000\n350527000000\t5\t金门县\t350527000000\n350527000000\t6\t金门县\t350527000000\n350502000000\t4\t鲤城区\t350500000000\n350502000000\t4\t鲤城区\t350500000000\n350599001000\t5\t无上级\t350599000000\n350502001000\t5\t开元街道\t350502000000\n350502001001\t6\t东升社区\t350502001000\n' >one.tsv
code import 10 "$hub" org import one.tsv --json
check import_added out_has '"added":7'
check import_duplicate out_has '"line":8,"problem":"duplicate"'
check import_orphan out_has '"line":9,"problem":"orphan"'
check import_self out_has '"problem":"self_parent"'
grep -v 无上级 one.tsv | awk '!seen[$0]++' | sed 's/东升社区/东升新社区/' | grep -v '	6	金门县' >two.tsv
printf '350502001002\t6\t西街社区\t350502001000\n' >>two.tsv
gzip -k two.tsv
run "$hub" org import two.tsv.gz --json
check import_gz_added out_has '"added":1,"changed":1,'
check import_gz_whole [ "$rc" = 0 ]
check import_missing out_has '"missing_count":1'
"$hub" org import - --json <two.tsv >out 2>err
check import_again out_has '"added":0,"changed":0,'
code import_no_file 3 "$hub" org import nothing.tsv
echo hello >hello.tsv
code import_no_form 4 "$hub" org import hello.tsv
code list_org 0 "$hub" list org_unit --where code=350502001001 --json
check renamed out_has 东升新社区
code invite 0 "$hub" invite --org 350502001001 --role node
check invite_token grep -q '^JG1-' out
code invite_json 0 "$hub" invite --org 350502000000 --role hub --json
check invite_json_form out_has '"token":"JG1-'
code invite_levels 2 "$hub" invite --org 350527000000 --role hub
check invite_levels_said err_has --level
code invite_level 0 "$hub" invite --org 350527000000 --level 4 --role hub
code invite_no_role 2 "$hub" invite --org 350502001001
code invite_unknown 3 "$hub" invite --org 350502009999 --role node
code peers 0 "$hub" peers --json
check peers_none out_has '"items":[]'
code coverage 0 "$hub" coverage --by township --json
check coverage_not_covered grep -qE '"code":"350502001000".*"sites":2,"with_node":0,"active":0,"not_covered":2' out
code coverage_bad_by 2 "$hub" coverage --by village
code coverage_month 0 "$hub" coverage --month 2025-03
code coverage_bad_month 2 "$hub" coverage --month 2025-13
code hub_record 0 "$hub" record activity title=巡回义诊 start=2025-03-08T09:00 astat=finished act=0 hh_served=5
code summary 0 "$hub" summary --json
code summary_explain 0 "$hub" summary --explain --json
check summary_missing out_has '"why":"no_node"'
code hub_status 0 "$hub" status --json
check hub_children out_has '"children":0'
code hub_verify 0 "$hub" verify
code hub_audit 0 "$hub" audit --deep

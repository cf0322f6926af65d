# make                        build build/debug/jinguo-node and build/debug/jinguo-hub
# make test                   install what is missing, then build and run every suite
# make check [S=merge]        run the suites, or one (tests/test_merge.c, tests/suite_merge.sh)
# make check VARIANT=asan     the same, sanitised (also: release, clang, tsan, cov)
# make test-asan, test-tsan   the same, installing what is missing; tsan: the suites with threads
# make sim SEEDS=200          run the simulator; SEED=7 TRACE=1 tells one world, SEED=7 SHRINK=1 shrinks one that fails
# make sim-campaign SEEDS=5000 [SMALL=8]  many worlds on all cores, 8 of 10 small; fails too if something that can happen never did
# make campaign [KILLS=1000] [SEED=1]     real processes under kills, cuts, restores, clocks and full disks
# make sim-mutants [M=tie-break]   plant the bugs of tests/mutants, one after the other; each must be found
# make sim-small [EVERY=20]   all interleavings of three operations at two sites and a hub (every 20th script of them)
# make demo                   install, build, and play the demonstration
# make fuzz F=segment         build the fuzzer of one decoder (clang); fuzz-all MINUTES=5 builds and runs them all
# make dictionary             train a dictionary of segment bodies from generated rows (a new one needs a new number)
# make bench-peers            the same rows through other systems (npm)
# make bench [B=ingest]       the figures of tests/bench/README.md, or one program of them (release build)
# make lint                   layers, format, cppcheck, clang-tidy
#
# One file.  Objects live in build/$(VARIANT)/, so variants never overwrite each
# other and switching back costs nothing.  ROOMS="common proto" confines a build
# to the lower rooms.

VARIANT ?= debug
# `make bench B=NAME`: on the command line B names a bench; inside it is the place of the objects.
BENCH   := $(if $(filter command%,$(origin B)),$(B))
override B := build/$(VARIANT)
JOBS    ?= $(shell nproc 2>/dev/null || echo 2)

ifneq ($(filter clang fuzz,$(VARIANT)),)
CC      := clang
endif

cflags.debug    := -O1 -g3
# clang counts assert(!"why") among the conversions.
cflags.clang    := -O1 -g -Wno-string-conversion
cflags.release  := -O2 -g -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
ldflags.release := -pie -Wl,-z,relro,-z,now
cflags.asan     := -O1 -g3 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
cflags.tsan     := -O1 -g3 -fsanitize=thread
cflags.cov      := -O0 -g3 --coverage
cflags.fuzz     := -O1 -g -Wno-string-conversion -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all

WARN := -Wall -Wextra -Werror -Wshadow -Wconversion -Wsign-conversion -Wstrict-prototypes \
        -Wmissing-prototypes -Wold-style-definition -Wcast-qual -Wwrite-strings -Wpointer-arith \
        -Wformat=2 -Wundef -Wvla -Wimplicit-fallthrough -Wswitch-enum -Wdouble-promotion -Wnull-dereference

# Before deploy/deps has run there may be no pkg-config: what needs these flags
# is then made by a second make (targets test, demo), which reads them anew.
comma    := ,
PKGS     := sqlite3 libczmq libzmq msgpack uuid libsodium libzstd jansson libqrencode
CPPFLAGS += -D_GNU_SOURCE -I. -I$(B) $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
CFLAGS   += -std=gnu17 -pthread $(WARN) $(cflags.$(VARIANT))
LDFLAGS  += $(subst fuzzer-no-link$(comma),,$(filter -fsanitize=% --coverage,$(cflags.$(VARIANT)))) \
            $(ldflags.$(VARIANT)) -Wl,--as-needed
LDLIBS   += $(shell pkg-config --libs $(PKGS) 2>/dev/null) -linih

# The rooms, lowest first.  A room includes only itself and rooms to its left; `make layers` holds us to it.
ROOMS  := common proto node hub
SRC    := $(sort $(shell find $(ROOMS) tests -name '*.c' 2>/dev/null))
HDR    := $(sort $(shell find $(ROOMS) tests -name '*.h' 2>/dev/null))
EMBED  := $(sort $(shell find $(ROOMS) -name '*.sql' 2>/dev/null))
BYTES  := $(sort $(shell find $(ROOMS) -name '*.bin' 2>/dev/null))

objs = $(patsubst %.c,$(B)/%.o,$(filter $(addsuffix /%,$(1)),$(SRC)))
lib  = $(filter-out %/main.o,$(call objs,$(1)))
text = $(EMBED:%=$(B)/%.h)
data = $(BYTES:%=$(B)/%.h)

# A suite is a binary (tests/test_NAME.c, cmocka) or a script (tests/suite_NAME.sh).
BINARIES := $(patsubst tests/test_%.c,$(B)/tests/test_%,$(wildcard tests/test_*.c))
SCRIPTS  := $(wildcard tests/suite_*.sh)
ONE      := $(filter $(B)/tests/test_$(S) tests/suite_$(S).sh,$(BINARIES) $(SCRIPTS))
# Suites that play in the simulated world.
WORLD    := $(filter $(addprefix $(B)/tests/,test_sim% test_malice test_small test_permute \
            test_schema_mix test_figures test_disk \
            test_province_signature test_repair test_restore),$(BINARIES))
# Suites whose code has threads; all of them while none has.
THREADS  := $(filter $(addprefix $(B)/tests/test_,thread% tsan% transport% daemon%),$(BINARIES))

PROGRAMS := $(patsubst %/main.c,$(B)/jinguo-%,$(wildcard node/main.c hub/main.c))

all: $(PROGRAMS)
$(B)/jinguo-node: $(call lib,common proto node) $(B)/node/main.o
# What opens envelopes is no part of a hub (node/unseal.h).
OPENS := $(B)/node/unseal.o $(B)/node/dossier.o $(B)/node/cmd_case.o
$(B)/jinguo-hub:  $(filter-out $(OPENS),$(call lib,common proto node hub)) $(B)/hub/main.o
$(B)/sim:         $(call lib,common proto node hub) $(call objs,tests/sim tests/support)
# A hub with a patched program, for suites: tests/evil/hub.c says what it can do.
EVIL := feed_for store_journal_scan message_pack message_read replica_digest store_cells_dirty segment_make
$(B)/evil-hub:    LDFLAGS += $(EVIL:%=-Wl,--wrap=%)
$(B)/evil-hub:    $(filter-out $(OPENS),$(call lib,common proto node hub)) $(B)/hub/main.o $(B)/tests/evil/hub.o
$(B)/jinguo-node $(B)/jinguo-hub $(B)/sim $(B)/evil-hub:
	@echo '  LD $@'; $(CC) $(CFLAGS) $(LDFLAGS) $^ $(LDLIBS) -o $@

# One binary a suite: a crash names its suite, and each has its own main().  They take from an archive
# what they use, so that a suite of a lower room links while a higher room is being written.  Rooms may
# have files of one name: ar must add (q), not replace.
$(B)/libjinguo.a: $(call lib,common proto node hub)
	@rm -f $@; ar qcs $@ $^
$(WORLD): $(call lib,tests/sim)
$(B)/tests/test_golden: $(call objs,tests/fuzz)
$(BINARIES): $(B)/tests/test_%: $(B)/tests/test_%.o $(call objs,tests/support) $(B)/libjinguo.a
	@echo '  LD $@'; $(CC) $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) $(B)/libjinguo.a $(LDLIBS) -lcmocka -o $@

$(B)/%.o: %.c $(B)/flags | $(text) $(data)
	@mkdir -p $(@D)
	@echo '  CC $<'; $(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

# A text asset becomes one C string literal, #included where it is used: the
# compiler's own dependency files then know about it.
$(text): $(B)/%.h: %
	@mkdir -p $(@D)
	@echo '  TEXT $<'; sed 's/[\\"]/\\&/g; s/^/"/; s/$$/\\n"/' $< >$@

# Bytes become the inside of an array.
$(data): $(B)/%.h: %
	@mkdir -p $(@D)
	@echo '  DATA $<'; od -An -v -tu1 $< | sed 's/\([0-9]\) /\1, /g; s/$$/,/' >$@

# The dictionary of segment bodies, from generated rows (common/squeeze.c; a number that has shipped is never made anew).
$(B)/dictionary: $(B)/tests/dictionary.o $(call objs,tests/support) $(B)/libjinguo.a
	@echo '  LD $@'; $(CC) $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) $(B)/libjinguo.a $(LDLIBS) -o $@
DICTIONARY_SEEDS := 9001 9002 9003 9004 9005 9006
dictionary: $(B)/dictionary all
	@rm -rf $(B)/dictionaries; mkdir -p $(B)/dictionaries
	@for s in $(DICTIONARY_SEEDS); do deploy/generate --seed $$s --volunteers 174 --activities 60 --participations 900 | \
		$(B)/jinguo-node record --json - --dir $(B)/dictionaries/$$s >/dev/null || exit 1; done
	$(B)/dictionary $(or $(OUT),$(B)/dictionary_1.bin) $(DICTIONARY_SEEDS:%=$(B)/dictionaries/%/jinguo.db)

# Recompile everything when the flags change, and only then.
$(B)/flags: FORCE
	@mkdir -p $(@D); echo '$(CC) $(CPPFLAGS) $(CFLAGS)' | cmp -s - $@ || echo '$(CC) $(CPPFLAGS) $(CFLAGS)' >$@

# build_run SUITES,WHAT ELSE: builds what can be built, runs it, and counts what could not
# be built as a failure, so that there is always one last line with the numbers.
again     = $(MAKE) --no-print-directory VARIANT=$(VARIANT)
build_run = @failed=; \
	$(again) -k -j$(JOBS) $(or $(2),$(if $(filter tests/%,$(1)),all)) $(if $(filter tests/suite_truth.sh,$(1)),$(B)/evil-hub) $(filter $(B)/%,$(1)) </dev/null || failed='--failed build'; \
	JINGUO_BUILD=$(B) tests/run $$failed $(1)

check:
	$(if $(S),$(if $(ONE),,$(error no suite is called $(S))))
	$(call build_run,$(if $(S),$(ONE),$(BINARIES) $(SCRIPTS)),$(if $(S),,all))
# Only builds the suites: what a second compiler has to say.
suites: $(BINARIES)
check-threads:
	$(call build_run,$(or $(THREADS),$(BINARIES)))
test:
	@deploy/deps build test
	@$(again) check
test-asan: # fewer worlds: each takes several times as long
	@deploy/deps build test
	@SIM_SEEDS=$${SIM_SEEDS:-12} $(MAKE) --no-print-directory VARIANT=asan check
test-tsan:
	@deploy/deps build test
	@$(MAKE) --no-print-directory VARIANT=tsan check-threads
demo:
	@deploy/deps build
	@$(again) -j$(JOBS) all
	@JINGUO_BUILD=$(B) tests/demo

sim: $(B)/sim
	$< --seeds $(or $(SEEDS),$(if $(TRACE)$(SHRINK),1,200)) $(if $(SEED),--seed $(SEED)) $(if $(TRACE),--trace) $(if $(SHRINK),--shrink)
sim-campaign: $(B)/sim
	$< --seeds $(or $(SEEDS),5000) $(if $(SEED),--seed $(SEED)) --jobs $(JOBS) --small $(or $(SMALL),8) --coverage
sim-small: $(B)/sim
	$< --scope $(or $(EVERY),1) --jobs $(JOBS)

# Long (KILLS=1000 takes a quarter of an hour on an idle machine); `make check S=campaign` is its short form.
campaign:
	@deploy/deps build test
	@$(again) -j$(JOBS) all
	@JINGUO_BUILD=$(B) KILLS=$(or $(KILLS),1000) $(if $(SEED),SEED=$(SEED)) tests/campaign.py

# Known mistakes in a copy of the tree; tests/mutants/run says how.
sim-mutants:
	@deploy/deps build test
	@JOBS=$(JOBS) $(if $(SEEDS),SEEDS=$(SEEDS)) tests/mutants/run $(M)

# One program a file of tests/bench (bench.c is what they share), release build; tests/bench/run runs them.
BENCH_TOOLS := crowd peers
BENCHES := $(filter-out bench $(BENCH_TOOLS),$(basename $(notdir $(wildcard tests/bench/*.c))))
$(patsubst %,$(B)/bench/%,$(BENCHES) $(BENCH_TOOLS)): $(B)/bench/%: $(B)/tests/bench/%.o $(B)/tests/bench/bench.o $(call objs,tests/support) $(B)/libjinguo.a
	@mkdir -p $(@D); echo '  LD $@'; $(CC) $(CFLAGS) $(LDFLAGS) $(filter %.o,$^) $(B)/libjinguo.a $(LDLIBS) -o $@
BENCH_SCRIPTS := $(basename $(notdir $(wildcard tests/bench/*.py)))
bench-programs: $(patsubst %,$(B)/bench/%,$(BENCHES) $(BENCH_TOOLS))
bench:
	$(if $(BENCH),$(if $(filter $(BENCH),$(BENCHES) $(BENCH_SCRIPTS)),,$(error no bench is called $(BENCH): $(BENCHES) $(BENCH_SCRIPTS))))
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=release all bench-programs
	@JINGUO_BUILD=build/release tests/bench/run $(or $(BENCH),$(BENCHES) $(BENCH_SCRIPTS))
# How costs grow: four minutes, and tests/bench/growth.svg anew.
bench-chart:
	@deploy/deps build chart
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=release all bench-programs
	@JINGUO_BUILD=build/release tests/bench/run growth breadth | tee build/release/growth.lines
	@tests/bench/chart <build/release/growth.lines >build/release/growth.svg
	@mv build/release/growth.svg tests/bench/growth.svg
# The same rows through what one might pick instead; fetches it from npm, so it is in no other target.
bench-peers:
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=release all bench-programs
	@JINGUO_BUILD=build/release CC="$(CC)" LIBS="$(LDLIBS)" tests/bench/peers.sh

# tests/fuzz.c and tests/fuzz/ hold one function fuzz_NAME(const uint8_t *, size_t) per decoder;
# -DFUZZ chooses the one behind LLVMFuzzerTestOneInput.  Known inputs: tests/corpus/NAME.
FUZZERS := $(sort $(shell sed -nE 's/^(static )?int fuzz_([a-z0-9_]+).const uint8_t .*/\2/p' tests/fuzz.c tests/fuzz/*.c))
ifeq ($(VARIANT),fuzz)
$(B)/fuzz-%: tests/fuzz.c $(call lib,common proto node hub) $(call objs,tests/support tests/fuzz)
	@echo '  LD $@'; $(CC) $(CPPFLAGS) $(filter-out -Werror,$(CFLAGS)) -fsanitize=fuzzer -DFUZZ=fuzz_$* \
	$(LDFLAGS) $^ $(LDLIBS) -o $@
endif
fuzz:
	$(if $(F),,$(error say which: make fuzz F=NAME, one of: $(FUZZERS)))
	@deploy/deps build fuzz
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=fuzz build/fuzz/fuzz-$(F)
# Two at a time, a table at the end; F="hello body" runs these only.
fuzz-all:
	@deploy/deps build fuzz
	@$(MAKE) --no-print-directory -j$(JOBS) VARIANT=fuzz $(addprefix build/fuzz/fuzz-,$(or $(F),$(FUZZERS)))
	@MINUTES=$(or $(MINUTES),5) JOBS=$(JOBS) tests/fuzz/run $(or $(F),$(FUZZERS))

# none PATTERN,FILES: none of these files includes what matches.
none = @bad=$$(grep -nE '^[[:space:]]*\#[[:space:]]*include[[:space:]]*[<"]($(1))' $(2) /dev/null); \
	[ -z "$$bad" ] || { echo "$$bad"; exit 1; }
room = $(filter $(addsuffix /%,$(1)),$(SRC) $(HDR))
but  = $(filter-out $(1),$(call room,$(ROOMS)))

layers:
	$(call none,(proto|node|hub|tests)/,$(call room,common))
	$(call none,(node|hub|tests)/,$(call room,proto))
	$(call none,(hub|tests)/,$(call room,node))
	$(call none,tests/,$(call room,hub))
	$(call none,sqlite3\.h,$(call but,common/store_sqlite%))
	$(call none,msgpack,$(call but,common/pack.c))
	$(call none,uuid/,$(call but,common/ident.c common/env.c))
	$(call none,(czmq|zmq)\.h,$(call but,node/transport.c node/daemon.c))
	$(call none,sodium,$(call but,common/crypt.c))
	$(call none,zstd|zdict,$(call but,common/squeeze.c))
	$(call none,jansson,$(call but,node/% hub/% common/json%.c))
	$(call none,ini\.h,$(call but,node/config.c))
	$(call none,qrencode,$(call but,node/qr.c hub/%))
	@bad=$$(grep -lE '^[[:space:]]*#[[:space:]]*define[[:space:]]+BASE_ALLOW_CLOCK' \
		$(filter-out common/env.c,$(SRC) $(HDR)) /dev/null); \
	[ -z "$$bad" ] || { echo "$$bad: only common/env.c asks for the clock"; exit 1; }
# ctuuninitvar takes every array that a callee fills for one that is read.  clang-tidy gets one file at a
# time: with several its va_list check (14) reports what is not there.  Its analyzer takes a
# third of its usual 225,000 steps a function, and a third of the time: the whole is under three minutes on two cores.
lint: layers $(text) $(data)
	tests/mutants/run --check
	clang-format --dry-run -Werror $(SRC) $(HDR)
	cppcheck -q -j2 --std=c11 -UNDEBUG -I. -I$(B) --enable=warning,portability,performance --inline-suppr \
	--suppress=ctuuninitvar --error-exitcode=1 $(wildcard $(ROOMS) tests)
	printf '%s\n' $(SRC) | xargs -P2 -n1 sh -c 'clang-tidy --quiet "$$@" -- $(CPPFLAGS) -std=gnu17 \
	-Xclang -analyzer-config -Xclang max-nodes=75000' tidy
clean: ; rm -rf build

FORCE:
.PHONY: sim-mutants all check check-threads dictionary suites test test-asan test-tsan demo sim sim-campaign campaign bench bench-chart bench-peers bench-programs fuzz fuzz-all layers lint clean FORCE
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules
-include $(shell find $(B) -name '*.d' 2>/dev/null)

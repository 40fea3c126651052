# fsaudit: make run | test | bench | lint | install | uninstall | release | man | fuzz | deps | clean
#
# run, test, bench and deps install the Debian packages that are missing, so they want root the first time.

PREFIX ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= /etc
SBINDIR = $(PREFIX)/sbin
MANDIR = $(PREFIX)/share/man
# Units of a package belong below /usr; those of a local build below /etc, which every systemd reads.
UNITDIR ?= $(if $(filter /usr,$(PREFIX)),/usr/lib/systemd/system,/etc/systemd/system)

UNITS = fsaudit.service fsaudit-check.service fsaudit-check.timer

ifndef SWIFT
SWIFT := $(shell .ci/find-swift 2>/dev/null)
endif
JOBS ?= $(shell nproc)

# Every target imports only what Package.swift says that it does.
SWIFT_FLAGS ?= -j $(JOBS) --explicit-target-dependency-import-check error
# A binary for hosts without Swift; every symbol is bound before main, and the table of them is read-only then. It is PIE anyway.
RELEASE_FLAGS ?= -c release --static-swift-stdlib --disable-local-rpath -Xlinker -z -Xlinker relro -Xlinker -z -Xlinker now

BINARY = .build/release/fsaudit
# The same without symbols: what is installed.
STRIPPED = .build/stripped/fsaudit
MAN = .build/man

.PHONY: all run test bench lint fuzz release man install uninstall clean deps swift binary check check-release

all: binary

deps:
	@.ci/packages build test bench

swift:
	@test -n "$(SWIFT)" || .ci/find-swift

# The release binary, with symbols.
binary: swift
	@.ci/packages build
	@echo "== building (release)"
	@$(SWIFT) build $(SWIFT_FLAGS) $(RELEASE_FLAGS) --product fsaudit

release: binary
	@mkdir -p $(dir $(STRIPPED))
	@strip -o $(STRIPPED) $(BINARY)
	@Tests/check-binary $(STRIPPED)

run: binary
	@Tests/demo $(BINARY)

# The guards come first, so that the last thing to be read is what the tests say.
test: swift
	@.ci/packages build test
	@echo "== building (debug)"
	@$(SWIFT) build $(SWIFT_FLAGS) --build-tests
	@$(MAKE) --no-print-directory check
	@echo "== testing"
	@$(SWIFT) test $(SWIFT_FLAGS)

# What must be true of the files here, without a release build.
check:
	@Tests/check-imports
	@Tests/check-service

# What must be true of the release binary and of an installation.
check-release: release
	@.ci/packages test
	@$(MAKE) --no-print-directory man
	@Tests/check-install

bench: binary
	@.ci/packages bench
	@Tests/Bench/run $(BINARY)

fuzz: swift
	@.ci/packages build test
	@Tests/Fuzz/run

lint: swift
	@echo "== formatting"
	@$(SWIFT) format lint --strict --parallel --recursive Sources Tests Package.swift
	@Tests/check-imports
	@Tests/check-lengths

# The manual comes from the declarations that also parse the command line.
man: binary
	@echo "== writing the manual"
	@$(SWIFT) build $(SWIFT_FLAGS) --product generate-manual 2>&1 | tail -n 1
	@.ci/manual .build/debug/generate-manual $(BINARY) $(MAN)

# Settings and rules that an administrator has edited stay; ours then come to lie beside them as *.new.
install: release man
	@echo "== installing below $(DESTDIR)$(PREFIX)"
	@install -D -m 755 $(STRIPPED) "$(DESTDIR)$(SBINDIR)/fsaudit"
	@install -d "$(DESTDIR)$(MANDIR)/man8" "$(DESTDIR)$(UNITDIR)" "$(DESTDIR)$(PREFIX)/share/bash-completion/completions" \
	  "$(DESTDIR)$(PREFIX)/share/zsh/site-functions" "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d"
	@install -m 644 $(MAN)/*.8 "$(DESTDIR)$(MANDIR)/man8/"
	@$(BINARY) --generate-completion-script bash >"$(DESTDIR)$(PREFIX)/share/bash-completion/completions/fsaudit"
	@$(BINARY) --generate-completion-script zsh >"$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_fsaudit"
	@$(BINARY) --generate-completion-script fish >"$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/fsaudit.fish"
	@for unit in $(UNITS); do \
	  sed 's|^ExecStart=[^ ]*|ExecStart=$(SBINDIR)/fsaudit|' systemd/$$unit >"$(DESTDIR)$(UNITDIR)/$$unit" && chmod 644 "$(DESTDIR)$(UNITDIR)/$$unit" || exit 1; \
	done
	@install -d -m 755 "$(DESTDIR)$(SYSCONFDIR)/fsaudit"
	@install -d -m 750 "$(DESTDIR)$(SYSCONFDIR)/fsaudit/rules.d" "$(DESTDIR)/var/log/fsaudit"
	@.ci/install-settings etc "$(DESTDIR)$(SYSCONFDIR)/fsaudit"
	@test -n "$(DESTDIR)" || ! test -d /run/systemd/system || systemctl daemon-reload
	@echo "== next: systemctl enable --now fsaudit"

# Leaves what may hold an administrator's work: the log, and settings and rules that were edited.
uninstall:
	@test -n "$(DESTDIR)" || ! test -d /run/systemd/system || systemctl disable --now fsaudit fsaudit-check.timer || true
	rm -f "$(DESTDIR)$(SBINDIR)/fsaudit" $(foreach unit,$(UNITS),"$(DESTDIR)$(UNITDIR)/$(unit)") \
	  "$(DESTDIR)$(MANDIR)/man8/"fsaudit.8 "$(DESTDIR)$(MANDIR)/man8/"fsaudit.*.8 \
	  "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/fsaudit" \
	  "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_fsaudit" \
	  "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/fsaudit.fish"
	@.ci/install-settings --remove etc "$(DESTDIR)$(SYSCONFDIR)/fsaudit"
	@test -n "$(DESTDIR)" || ! test -d /run/systemd/system || systemctl daemon-reload

clean:
	rm -rf .build

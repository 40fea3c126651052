// libFuzzer's entry for programs that keep their own main (compiler-rt/lib/fuzzer/FuzzerInterface.h); the toolchain ships the
// library (libclang_rt.fuzzer_no_main) but no header for it.
#pragma once
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));

// libFuzzer's entry point, in C because SwiftPM renames a Swift program's main, and libFuzzer brings its own.
#include <stddef.h>
#include <stdint.h>

void fsaudit_fuzz(const uint8_t *data, intptr_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fsaudit_fuzz(data, (intptr_t)size);
  return 0;
}

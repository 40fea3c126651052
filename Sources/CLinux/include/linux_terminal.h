// ioctl(2) is variadic, which Swift does not import.
#pragma once
#include <sys/ioctl.h>

/// The width of the terminal, 0 if it has none or does not say.
static inline int linux_terminal_columns(int descriptor) {
  struct winsize size;
  return ioctl(descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

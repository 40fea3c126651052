// PCRE2 over single bytes: the regular expressions of the baseline's configuration are AIDE's, and AIDE's are PCRE2's.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

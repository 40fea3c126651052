// zstd: rotated segments (written and read). zlib: auditd's logs that logrotate packed with gzip (read only).
#include <zlib.h>
#include <zstd.h>

// libcrypto: digests and signatures; and for the log its SHA-256 by its direct calls: no allocation, no provider, no configuration file, 1.5 MB of memory less than EVP_* takes.
// OpenSSL 3 calls them deprecated for want of those very things; they stay as long as its ABI does.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/err.h>

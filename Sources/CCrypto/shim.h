// libcrypto: digests and signatures.
#include <openssl/evp.h>

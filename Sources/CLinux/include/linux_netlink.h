// sockaddr_nl, nlmsghdr and the NLM_F_* flags of netlink(7), which Glibc's module does not export.
#pragma once
#include <linux/netlink.h>
#include <sys/socket.h>

// Swift sees these as enumerators of glibc's own types.
static const int linux_sock_raw = SOCK_RAW;
static const int linux_sock_cloexec = SOCK_CLOEXEC;

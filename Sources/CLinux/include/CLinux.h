// What Swift cannot see of Linux: variadic calls and macros, as static inline functions. One header a subject.
#pragma once
#include "linux_files.h"
#include "linux_terminal.h"
#include "linux_identity.h"
#include "linux_netlink.h"
#include "linux_receive.h"
#include "linux_walk.h"
#include "linux_scan.h"
#include "linux_process.h"

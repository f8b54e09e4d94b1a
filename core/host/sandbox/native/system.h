/* Calls and flags of the kernel that its older headers do not know. The numbers are the same on all architectures. */
#ifndef SYSTEM_H
#define SYSTEM_H

#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>

#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif
#define TREE_CLONE 1
#define TREE_CLOEXEC O_CLOEXEC
#define RECURSIVE 0x8000
#define FROM_EMPTY 4
#define ATTR_RDONLY 1
#define ATTR_NOSUID 2
#define ATTR_NODEV 4
#define FS_CLOEXEC 1
#define FS_SET_STRING 1
#define FS_CREATE 6
#define CLOSE_ON_EXEC 4
#define CAPABILITY_VERSION 0x20080522
#define LANDLOCK_ABSTRACT_SOCKETS 1
#define LANDLOCK_SIGNALS 2

struct tree_attr {
  uint64_t set, clear, propagation, userns;
};
struct landlock_attr {
  uint64_t fs, net, scoped;
};

#endif

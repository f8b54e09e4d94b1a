/* The name spaces of this program itself: its own mounts and, unless it is root, a user name space in which it may make them. */
#ifndef OWN_SPACE_H
#define OWN_SPACE_H

#include <stdint.h>
#include <sys/types.h>

/* Whether we may do with files and users what root may. */
extern int is_root;
/* Who we are, in our user name space, to those who ask for a tree back. */
extern uint32_t own_id;
/* The network name space of the host. */
extern int own_network;

/*
 * Mounts of our own, and the right to make them. `range` is what gives us a range of users, and that range; NULL when nobody asked
 * for one. Gives words, beside `errno`, when that is not possible here, else NULL.
 */
const char *prepare(char **range);

/* Say who is who in the user name space of a process: its `uid_map`, `gid_map` or `setgroups`. -1 when the kernel refuses. */
int write_map(pid_t pid, const char *name, const char *text);

#endif

/* Name spaces that outlive their run and serve another one: to make them is most of what a sandbox costs. */
#ifndef IDLE_SPACES_H
#define IDLE_SPACES_H

#include <stdint.h>

/* A network name space in which nothing was ever sent; -1 when none is idle. */
int take_network(void);
/* One that nobody was in. */
void return_network(int network);
/* One that a builder was in: it is kept if it is as a new one is. */
void recycle_network(int network);

/* A user name space in which this user is the builder, and nobody is in it; -1 when none is idle. */
int take_users(uint32_t uid, uint32_t gid);
void keep_users(uint32_t uid, uint32_t gid, int space);

#endif

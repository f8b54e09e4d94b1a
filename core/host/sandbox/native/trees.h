/* Trees that are removed, or belong to others for a while: the work of a process that has nothing else to do. */
#ifndef TREES_H
#define TREES_H

#include <stdint.h>

/* Remove a tree; the answer comes when it is gone. */
void remove_later(uint32_t id, const char *path);
/* Give a tree to a user and a group; the answer comes when it is theirs. */
void own_later(uint32_t id, const char *uid, const char *gid, const char *path);

/* Where that process speaks; -1 when there is none. */
int remover_channel(void);
void hear_remover(void);

/* Take back what was given to others. */
void take_trees_back(void);

#endif

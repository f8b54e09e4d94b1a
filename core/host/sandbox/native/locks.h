/* Locks of files, which we have for as long as we live; made and given back as Nix does. */
#ifndef LOCKS_H
#define LOCKS_H

#include <stdint.h>

/* Take one, or answer who does not let us. */
void take_lock(uint32_t id, const char *file);
void give_lock_back(uint32_t id);
void give_all_locks_back(void);

#endif

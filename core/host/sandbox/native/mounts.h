/* The root of a builder: a new one, in which is mounted what the words of its run say. Failures end the process, see failure.h. */
#ifndef MOUNTS_H
#define MOUNTS_H

#include <stddef.h>
#include "words.h"

/* The directory on which new roots are mounted. */
extern const char *new_root;

/* An empty root. */
int make_root(void);

/* What the words from one place to another mount. */
void mount_words(const struct parsed *p, int root, size_t from, size_t to);

/* Leave what was seen before. */
void enter_root(int root);

#endif

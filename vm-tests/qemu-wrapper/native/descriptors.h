/* What a fork would have in common with its parent: open files, sockets, events. Each copy gets its own. */
#ifndef DESCRIPTORS_H
#define DESCRIPTORS_H

/* What takes the place of something in a copy. Both names are the same for what may be shared. */
struct exchange {
  const char *from, *to;
};

/* The name of standard error among what is exchanged. */
#define STANDARD_ERROR "stderr"

/* Descriptors of this library, which a copy does not get. */
void own_descriptor(int fd);
void disown_descriptor(int fd);

/* Once, at the beginning: what is open came from who started QEMU, which knows nothing of it. Copies have it as well. */
void note_inherited(void);

/* Look at all that is open but one, while nothing runs. NULL, or why that cannot be given to a copy. */
const char *plan_descriptors(const struct exchange *exchanges, int count, int except);

/* In the copy: do what was planned. NULL, or what failed, with errno. */
const char *remake_descriptors(void);

/* The name that QEMU means by this one: in a copy, that of what was exchanged. */
const char *meant(const char *name);

#endif

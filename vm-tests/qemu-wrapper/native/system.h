/* What is asked of the kernel by more than one file. No function here takes memory from the C library, whose locks others may hold. */
#ifndef SYSTEM_H
#define SYSTEM_H

#include <stddef.h>

/* Call a function for each number that names an entry of a folder, until it says less than 0. The sum of what it said, or -1. */
int each_number(const char *folder, int (*function)(long number));

/* Read a whole file and end it with a zero. Its length, or -1 when it cannot be read or is too large. */
long read_whole(const char *path, char *text, size_t room);

/* Tell the kernel where a new thread keeps the word about its processor, as the C library does for those that it makes. */
void register_sequences(void *thread_pointer);

#endif

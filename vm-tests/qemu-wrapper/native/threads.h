/* All threads of this process stand still, so that a fork has every one of them. */
#ifndef THREADS_H
#define THREADS_H

#include <sys/types.h>

/* Its handler is where threads stand. Nothing in QEMU or its libraries uses it. */
#define STAND_SIGNAL (SIGRTMAX - 1)

/* Once, before there is a second thread; the caller is the main one. */
void prepare_threads(void);

/*
 * Let every thread but the caller stand still, each in a system call in which it waits: so nobody is in the middle of a change.
 * NULL, or why that cannot be; they go on then.
 */
const char *stop_threads(void);

/* Let them go on. */
void release_threads(void);

/*
 * While threads stand: fork, without the calling thread. In the copy `begin` is called before any other thread is there, then all go on.
 * The number of the copy, or -1 with errno.
 */
pid_t fork_stopped(void (*begin)(void), void (*done)(void));

#endif

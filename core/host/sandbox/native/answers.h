/* What is said to the one who reads our standard output: see floe-sandbox.c for the form of answers. */
#ifndef ANSWERS_H
#define ANSWERS_H

#include <stddef.h>
#include <stdint.h>

/* Answers that wait for the reader; beyond this no builder's output is taken. */
#define ENOUGH (256 * 1024)

struct buffer {
  char *data;
  size_t start, end, room;
};

/* The answers that were not written yet. */
extern struct buffer out;

/* Ends the program with words, which have the reason from `errno`. */
_Noreturn void die(const char *what);

/* Room for so many bytes at the end of a buffer; whoever fills it moves the end. */
void *reserve(struct buffer *b, size_t size);

void answer(char kind, uint32_t id, const void *data, size_t size);
void answer_number(char kind, uint32_t id, uint32_t number);
void answer_failure(char kind, uint32_t id, int error, const char *text);

/* Writes what the reader takes now. False when there is no reader any more. */
int write_answers(void);

#endif

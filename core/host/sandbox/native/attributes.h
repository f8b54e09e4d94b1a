#ifndef ATTRIBUTES_H
#define ATTRIBUTES_H

/* `floe-sandbox attributes …`, see attributes.c: its words, and then NULL. Gives the status to end with. */
int attributes(char **args);

#endif

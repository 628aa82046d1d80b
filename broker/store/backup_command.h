/** `logflumed backup verify | restore`: what is done with backups that lie somewhere. Backups are read only. */
#ifndef BACKUP_COMMAND_H
#define BACKUP_COMMAND_H

/** argv[0] is "backup". Returns the exit code (enum store_exit). */
int backup_command(int argc, char **argv);

#endif

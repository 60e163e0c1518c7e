/* The library that the plugin storage-needy.so needs and that is never where the loader looks. */
int mydocker_absent(void);
int mydocker_absent(void) {
    return 0;
}

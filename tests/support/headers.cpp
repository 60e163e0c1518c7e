// The program that headers.hpp is compiled for, since others can only take it from a target; it does nothing.
int main() {
    return 0;
}

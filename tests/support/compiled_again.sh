#!/bin/sh
# compiled_again.sh ROOT COMPILER ARGUMENT...
#
# A C compiler for a second build of this project. It takes a module from the tree ROOT where `make build` has compiled
# the same C; it compiles everything else. An object that it does not need to make is an empty file.
set -eu
root=$1
shift

# sum_of C: its checksum, without the place where Cython keeps what it includes.
sum_of() {
    sed 's|^  ".*/Cython/Includes/|  "|' "$1" | cksum
}

for argument; do
    case $argument in
    *.c) source=$argument ;;
    *.o) object=$argument ;;
    *.so) module=$argument ;;
    esac
done
if [ -n "${source:-}" ]; then
    for built in "$root/${source%.c}".*.so; do
        if [ "$built" -nt "$root/$source" ] && [ "$(sum_of "$source")" = "$(sum_of "$root/$source")" ]; then
            : >"$object"
            exit
        fi
    done
elif [ -n "${module:-}" ] && [ ! -s "$object" ]; then
    cp "$root/src/${module#build/lib*/}" "$module"
    exit
fi
exec "$@"

"""The clients on trial: one file for each library, with the factory by which a caller process makes the client.

A factory is called as `factory(nodes=[(host, port), …], timeout_s=…, **options)`. The object that it returns, here an
adapter, has these methods, which are either all plain (each caller is a thread) or all coroutines (each is a task):

    get(key) → bytes, or None when the key is not there
    set(key, value, ttl_s) → True or None when the value is stored; ttl_s is 0 for ever
    delete(key) → True or None when the key is deleted, False when there was none
    increment(key, delta) → the new value as int, or None when the key is not there
    get_many(keys) → a mapping from the keys that were found to bytes
    close()

Keys are str of ASCII, values are bytes. An operation that did not come to an answer raises an exception. An answer of
False to a set or an increment means that it may not have been carried out. An adapter may also have, all of them plain:

    version: the library's name and version
    node_of(key) → the number of the key's node, from 1. A get_many on several nodes then counts on each of them; it
        says which nodes failed by raising `errors.PartlyFailed`, and counts on none where it raises anything else
    errors: a mapping from exception types to the classes of `trial.observed.ERRORS`
    error_class(exception) → such a class, or None for the class by type; comes before `errors`
    stats() → a mapping from node numbers to `NodeState`, or to mappings with its fields
    on_transition(call): have call(node, before, after) called at each change of a breaker's state
    open(): a method of the same kind as the five operations, called once before them
    get_or_win(key, ttl_s) → (value or None, True when this caller is to compute the value), like the five operations

`clients` lists the adapters that are shipped, `adapter` makes one from a plan.
"""

"""Update rules. One file is one plug; the file's name is its only name.

They ask torch for its `foreach` updates, which it takes by itself on a GPU alone: the same bits as one parameter after the
other in fewer calls, which on a CPU are what an update of a small network takes its time for.
"""

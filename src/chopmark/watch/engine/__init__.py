"""The engine of scans: partitions of listings in files, judged by the same pure code on one machine or a cluster.

    run.run(Scan(...))      plan -> partitions -> results/part-*.parquet, manifest.jsonl -> Total

Daft carries partitions to processes, here or on a Ray cluster, by one setting; what a process does with one is a
pure function of the partition and the plan. Knows files and Daft, no tables.
"""

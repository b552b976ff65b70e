"""Makes the folders of HDFS that services expect: hdfs_folders.py FOLDER..."""

import json
import sys
import urllib.request

for folder in sys.argv[1:]:
    address = f"http://namenode:9870/webhdfs/v1{folder}?op=MKDIRS&permission=700&user.name=parcours"
    with urllib.request.urlopen(urllib.request.Request(address, method="PUT"), timeout=30) as answer:
        if not json.load(answer)["boolean"]:
            sys.exit(f"HDFS did not make {folder}.")

"""Brings Hadoop's daemons of the version that pyspark bundles: fetch_hadoop.py MAVEN_URL FOLDER."""

import hashlib
import sys
import urllib.request
from pathlib import Path

VERSION = "3.5.0"
SHA256 = "06772d24529e59939915979b3edba204d367750ef7dc5120411f35221dd4818c"

maven, folder = sys.argv[1], Path(sys.argv[2])
name = f"hadoop-client-minicluster-{VERSION}.jar"
address = f"{maven.rstrip('/')}/org/apache/hadoop/hadoop-client-minicluster/{VERSION}/{name}"
with urllib.request.urlopen(address, timeout=120) as answer:
    content = answer.read()
found = hashlib.sha256(content).hexdigest()
if found != SHA256:
    sys.exit(f"{address} has the checksum {found}, expected {SHA256}; it is not the file that was released.")
folder.mkdir(parents=True)
(folder / name).write_bytes(content)

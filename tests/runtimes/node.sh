#!/usr/bin/env bash
# Installs AWS's runtime interface client for Node.js into a folder: `node.sh FOLDER`. Needs node with its headers, npm,
# a C++ compiler and libcurl.so.4. Takes some seconds.
#
# The package's own build compiles a whole curl with autotools, which takes three minutes and five more packages. Its
# client is three files; they are compiled here against the headers that it ships and the libcurl that is there.
set -euo pipefail
version=3.3.0
folder=$1
rm -rf "$folder.part"
mkdir -p "$folder.part"
cd "$folder.part"
npm install --silent --no-audit --no-fund --ignore-scripts "aws-lambda-ric@$version"
cd node_modules/aws-lambda-ric
for archive in deps/*.tar.gz; do tar -xzf "$archive" -C deps; done
cpp=$(echo deps/aws-lambda-cpp-*/)
sed 's/@PROJECT_VERSION_[A-Z]*@/0/; s/@PROJECT_VERSION@/0/' "${cpp}src/version.cpp.in" > version.cpp
headers=$(node -p 'require("path").resolve(process.execPath, "../../include/node")')
c++ -std=c++17 -O1 -fPIC -shared -w -o dist/rapid-client.node \
    src/rapid-client.cc "${cpp}src/runtime.cpp" "${cpp}src/logging.cpp" version.cpp \
    -I"${cpp}include" -I"$(echo deps/curl-curl-*/include)" -I../node-addon-api -I"$headers" -l:libcurl.so.4
cd "$folder.part"
mv -T "$folder.part" "$folder"

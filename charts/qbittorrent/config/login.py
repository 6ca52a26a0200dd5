"""Closes the web page of qBittorrent before it starts: the image's own configuration lets private addresses in without
a login, and behind the ingress controller every request comes from one."""

import base64
import configparser
import hashlib
import os
import sys

path = os.path.join(sys.argv[1], "qBittorrent/qBittorrent.conf")
if not os.path.exists(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open("/defaults/qBittorrent.conf") as defaults, open(path, "w") as first:
        first.write(defaults.read())

config = configparser.RawConfigParser(delimiters=["="], comment_prefixes=[";"], strict=False, allow_no_value=True)
config.optionxform = str
config.read(path)
if not config.has_section("Preferences"):
    config.add_section("Preferences")
preferences = config["Preferences"]
preferences["WebUI\\AuthSubnetWhitelistEnabled"] = "false"
preferences["WebUI\\LocalHostAuth"] = "true"
preferences["WebUI\\CSRFProtection"] = "true"
# The initial password; after that, the one set on the page.
if "WebUI\\Password_PBKDF2" not in preferences:
    salt = os.urandom(16)
    key = hashlib.pbkdf2_hmac("sha512", os.environ["ADMIN_PASSWORD"].encode(), salt, 100_000)
    text = ":".join(base64.b64encode(part).decode() for part in (salt, key))
    preferences["WebUI\\Username"] = "admin"
    preferences["WebUI\\Password_PBKDF2"] = f'"@ByteArray({text})"'

with open(f"{path}.part", "w") as part:
    config.write(part, space_around_delimiters=False)
os.replace(f"{path}.part", path)

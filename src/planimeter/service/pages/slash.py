"""The slash that is missing where somebody types the address of a proxy's prefix without it.

The service is then asked for its first page, and cannot know; the browser resolves every link of it one folder too
high, also those of style sheets and scripts. So a script in the page itself looks, and goes to the right address. It is
the only one that does not stand in a file: its hash in the policy lets the browser run it, and no other.
"""

import base64
import hashlib

SCRIPT = (
    'if (!location.pathname.endsWith("/")) '
    'location.replace(location.pathname + "/" + location.search + location.hash);'
)
POLICY = f"'sha256-{base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()}'"
"""What `script-src` needs to say of it."""

"""One gate before every endpoint.

For browsers it checks host, origin and media type. Then it finds the *principal* by the key or token, counts
the request for the rate limit, and checks the scope that the endpoint declares. Each gateway folds the keys
from the log and compares them with it every second; without that for 30 s it answers 503. The requests in
progress are checked every second, and streams are cut when their key is not valid any more.
"""

# The same image out of a binary that was built on this machine, which takes
# seconds: build.sh makes the context, the folder root/ and this file.
FROM scratch
COPY root/ /
USER 65532:65532
# GET /healthz at $PORT. Commands that serve nothing there: --no-healthcheck.
HEALTHCHECK --interval=2s --timeout=10s --start-period=2m --retries=15 CMD ["/throughline", "health"]
ENTRYPOINT ["/throughline"]

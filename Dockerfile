# The service: its API, its workers and the migrations of its schema.
#   docker build --platform linux/arm64 -t toq-media .
#   docker run toq-media                              the service
#   docker run toq-media node migrations/migrate.ts   the schema, before a new version is rolled out
#
# The tag is exact, and the same Node as in .node-version. A tag can still be moved: whoever has a registry at hand
# appends the digest that `docker buildx imagetools inspect` prints (node:<tag>@sha256:…), in both places.

# Nothing here is native, so whichever processor builds may do this for any other.
FROM --platform=$BUILDPLATFORM node:24.21.0-bookworm-slim AS modules
WORKDIR /app
COPY package.json package-lock.json ./
# Exactly what is locked, without development tools, without optional packages (other platforms' binaries, Node itself),
# and less what only the functions import: that is bundled into them.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
 && npm pkg delete \
      dependencies.@aws-crypto/sha256-js \
      dependencies.@aws-lambda-powertools/batch \
      dependencies.@aws-sdk/client-secrets-manager \
      dependencies.@aws-sdk/lib-storage \
      dependencies.@smithy/signature-v4 \
      dependencies.archiver \
      dependencies.file-type \
      dependencies.heic-decode \
      dependencies.image-size \
      dependencies.sharp \
 && npm prune --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund \
 && rm node_modules/.package-lock.json \
 && find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

FROM node:24.21.0-bookworm-slim
LABEL org.opencontainers.image.title="toq-media" \
      org.opencontainers.image.description="Moves a listing's photographs and videos from a photographer's disk to an approved gallery" \
      org.opencontainers.image.base.name="node:24.21.0-bookworm-slim"
# Package managers are no part of a running service.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack \
      /usr/local/bin/yarn /usr/local/bin/yarnpkg /opt/yarn-*
ENV NODE_ENV=production
# The AWS SDK asks for a home and ends without one, which a bare numeric user has not; it finds no settings there.
ENV HOME=/nonexistent
WORKDIR /app
COPY --from=modules /app/package.json ./
COPY --from=modules /app/node_modules node_modules
COPY statemachines statemachines
COPY migrations migrations
COPY service service
# The files are root's and this user only reads them, so the root file system may be read-only.
USER 1000:1000
EXPOSE 3000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT ?? 3000}/livez`).then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "service/main.ts"]

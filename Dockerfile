ARG NODE_IMAGE=node:20.20.2-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
# The packages first: a change of source alone does not install them again.
COPY package.json package-lock.json .npmrc ./
COPY packages/protocol/package.json packages/protocol/
COPY packages/client/package.json packages/client/
COPY packages/dashboard/package.json packages/dashboard/
RUN npm ci --include=dev --no-audit --no-fund
COPY . .
RUN node scripts/prepare.js
# What is left of packages/ is what node_modules/@tickwire links to.
RUN npm prune --omit=dev --no-audit --no-fund && rm -rf packages/dashboard packages/*/src packages/*/tsconfig.json

FROM ${NODE_IMAGE}
ENV NODE_ENV=production HOST=0.0.0.0 PORT=8080 WORKERS=auto
WORKDIR /app
# Owned by root: the server, which runs as another, cannot change its own code.
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/packages packages
COPY --from=build /app/dist dist
# Where docker-compose.yml's service `certificate` writes, as nginx' user: a new volume takes over the owner of this folder.
RUN install -d -o 101 -g 101 -m 700 /tls
USER node
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Node itself, not npm: signals reach it. Messages live for a window: more room for what is young, and less of it is copied.
CMD ["node", "--max-semi-space-size=64", "dist/src/cli/tickwire.js", "start"]

// SCIMMY on express: resources in memory, and an index for the one filter that providers send all the time.
// Usage: node server.js PORT TOKEN

import { randomUUID } from "node:crypto";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const [port, token] = process.argv.slice(2);

const kept = (resources, indexed) => {
  const byId = new Map();
  const byName = new Map();
  const key = (name) => name.toLowerCase();
  const named = (filter) => {
    const [comparison, ...more] = filter;
    const [attribute, ...others] = Object.entries(comparison);
    const [operator, name] = attribute?.[1] ?? [];
    const known = more.length === 0 && others.length === 0 && attribute?.[0] === indexed && operator === "eq";
    return known ? [byName.get(key(name))].filter(Boolean) : undefined;
  };
  return resources
    .ingress((resource, instance) => {
      const id = resource.id ?? randomUUID();
      const before = byId.get(id);
      const other = byName.get(key(instance[indexed]));
      if (resource.id && !before) throw new SCIMMY.Types.Error(404, null, "there is no such resource");
      if (other && other.id !== id) throw new SCIMMY.Types.Error(409, "uniqueness", "that name is taken");
      const now = new Date().toISOString();
      const meta = { created: before?.meta.created ?? now, lastModified: now };
      const after = { ...JSON.parse(JSON.stringify(instance)), id, meta };
      if (before) byName.delete(key(before[indexed]));
      byId.set(id, after);
      byName.set(key(after[indexed]), after);
      return after;
    })
    .egress((resource) => {
      if (resource.id) {
        const found = byId.get(resource.id);
        if (!found) throw new SCIMMY.Types.Error(404, null, "there is no such resource");
        return found;
      }
      if (!resource.filter) return [...byId.values()];
      return named(resource.filter) ?? resource.filter.match([...byId.values()]);
    })
    .degress((resource) => {
      const before = byId.get(resource.id);
      if (!before) throw new SCIMMY.Types.Error(404, null, "there is no such resource");
      byId.delete(resource.id);
      byName.delete(key(before[indexed]));
    });
};

SCIMMY.Resources.declare(kept(SCIMMY.Resources.User, "userName"));
SCIMMY.Resources.declare(kept(SCIMMY.Resources.Group, "displayName"));

const authenticated = (request) => {
  if (request.header("Authorization") !== `Bearer ${token}`) throw new Error("another token");
  return "provider";
};
const server = express()
  .use("/scim/v2", new SCIMMYRouters({ type: "bearer", handler: authenticated }))
  .listen(Number(port), "127.0.0.1");
// Longer than the slowest answer: a connection is not closed under a provider who waits for its turn.
server.keepAliveTimeout = 120_000;

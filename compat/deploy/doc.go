// Package deploy holds how the façade takes over Bank's name, and how Bank gets it back: manifests for Kubernetes and service definitions for Consul, as
// examples to copy from. README.md says in which order they go out, and what happens to connections at each step. The tests parse all of it as strictly as
// the API server would, and check that selectors, ports, names and flags fit together and that README.md names what is there.
//
// # Files
//
//	kubernetes/before/   Bank as it stands before
//	kubernetes/          steps 1 to 5
//	consul/before/       Bank as it is registered before
//	consul/              the same for Consul, by DNS or in the mesh
package deploy

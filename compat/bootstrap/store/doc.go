// Package store is where the bootstrapper keeps its work: a folder, or a bucket of S3 (gocloud.dev/blob). It has objects, which are written once and have a SHA-256, and documents, small JSON
// that says what there is.
//
// # Invariants
//
//   - An object is seen whole or not at all: a folder's is renamed into its place, S3 has it when the upload is complete. So is a document.
//   - What an object is (rows, bytes, SHA-256) is noted in a document that is written after it. An object that no document names is not there; it is written again.
//   - Reading an object to its end says whether it is what was noted: [ErrDamaged].
//
// # Failure by failure
//
//   - Killed while an object is written: a temporary file, or an upload that was never completed, stays; nothing names it. (Let the bucket forget incomplete uploads after a day.)
//   - Killed between an object and its note: written again, under the same name.
//   - The machine loses its power: a folder's files may be short or empty, since they are not forced to disk one by one; their hashes say so.
//   - Two processes on one store: not looked after here; the bootstrapper holds a lock in the façade's database.
package store

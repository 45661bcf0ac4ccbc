// Package embedded is a store in a directory of this machine: blocks, and the
// names of roots; one writer, and beside it any number of readers.
//
// # What is where
//
//	hamt-store     says whose directory it is, and its format
//	packs/*.car    blocks: CARv2 files that never change (package pack)
//	log, log.copy  the same twice: what the names stand for, and which packs count
//	lock           held by the writer
//
// A pack that the log does not name does not exist. Blocks are gathered in
// memory, and written to a pack that nobody knows. When the store is told to
// keep them, the pack gets its index, is brought to the disk, and then a line is
// appended to the log, and brought to the disk too: the one step by which packs
// come, and go, and names move. Whatever happens before leaves a file that the
// next writer removes. Nothing that was ever named is changed, so there is
// nothing to repair after a crash, and a reader, who reads the log once, is
// never disturbed: the packs that it opened stay as they were, even removed.
//
// Blocks come from several places of the tree at the same time when a build uses
// several processors. So those that are written together (16 MiB) are arranged:
// behind the blocks that one links to comes that one. A walk then reads a pack
// from one end to the other.
//
// A block takes its CID (36 bytes), its length, and 40 bytes in the index. Blocks
// are not compressed. Those of a session are one pack, or one a GiB; many small
// packs are merged, so that there are never more than some twenty.
//
// # Room
//
// Blocks stay until [Store.Collect] gives back those that nothing reaches: no name,
// nothing that a name stood for, and no other root that is to be kept. It marks what is
// live with a bit for each entry of the packs' indexes, and then writes packs anew that
// have something else, some at a time, each time in one step of the log. [Store.Compact]
// writes all of them anew in the order of a walk.
//
// # Damage
//
// Every block is checked by its hash when it is read. One that is damaged is
// taken from another pack, if that has it; putting it again writes it again,
// since a block counts as present only when it is read and found whole. The log
// is text, a line a step, each with its number and checksum; a line that is
// damaged in one copy is taken from the other. A log that has lost a line in both
// is not written to, but read as far as it goes. A pack that has lost its header or
// its index is read all the same, by a scan; one that is absent keeps nobody from
// the others. [Store.Check] names all damage, [Store.CheckNames] the roots that it
// hurts, and [Store.Repair] mends it.
//
// # After Sync
//
// All that was put is on the disk. Whoever has a new root calls Sync (or
// MoveName, which does so too) before telling anybody: every root that was
// printed and every name then stands for a whole tree.
package embedded

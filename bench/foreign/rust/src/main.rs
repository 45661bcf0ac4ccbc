//! fvm_ipld_hamt on the workload of this benchmark: one argument, the number
//! of entries. It prints one JSON object a line, as `go run ./bench/compare
//! -json` does. Keys are hashed with sha2-256, blocks with blake2b-256, which
//! is what the crate always does.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::Instant;

use anyhow::{ensure, Context, Result};
use cid::Cid;
use fvm_ipld_blockstore::Blockstore;
use fvm_ipld_hamt::{BytesKey, Config, Hamt};

/// A store in memory that counts the blocks written.
#[derive(Default)]
struct Store {
    blocks: RefCell<HashMap<Cid, Vec<u8>>>,
    writes: Cell<usize>,
}

impl Blockstore for Store {
    fn get(&self, cid: &Cid) -> Result<Option<Vec<u8>>> {
        Ok(self.blocks.borrow().get(cid).cloned())
    }

    fn put_keyed(&self, cid: &Cid, block: &[u8]) -> Result<()> {
        self.writes.set(self.writes.get() + 1);
        self.blocks.borrow_mut().insert(*cid, block.into());
        Ok(())
    }
}

fn key_of(i: usize) -> BytesKey {
    BytesKey(format!("precip/{}.{}", i / 1000, i % 1000).into_bytes())
}

fn config() -> Config {
    Config { bit_width: 8, ..Config::default() }
}

/// Different numbers below n, spread over all of them.
fn spread(n: usize, count: usize) -> Vec<usize> {
    let mut step = (n as f64 * 0.618) as usize;
    while gcd(step, n) != 1 {
        step += 1;
    }
    (0..count).map(|i| i * step % n).collect()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn measure(store: &Store, work: &str, n: usize, entries: usize, run: impl FnOnce() -> Result<()>) -> Result<()> {
    store.writes.set(0);
    let begin = Instant::now();
    run()?;
    let ns = begin.elapsed().as_nanos() as f64 / entries as f64;
    let blocks = store.writes.get();
    println!(r#"{{"work":"{work}","n":{n},"ns_per_entry":{ns},"blocks_written":{blocks}}}"#);
    Ok(())
}

type Map<'a> = Hamt<&'a Store, u64>;

fn main() -> Result<()> {
    let n: usize = std::env::args().nth(1).context("number of entries")?.parse()?;
    let store = Store::default();
    let keys: Vec<BytesKey> = (0..n).map(key_of).collect();
    let mut root = Cid::default();

    measure(&store, "build-node", n, n, || {
        let mut map = Map::new_with_config(&store, config());
        for (i, key) in keys.iter().enumerate() {
            map.set(key.clone(), i as u64)?;
        }
        root = map.flush()?;
        Ok(())
    })?;

    let warm = Map::load_with_config(&root, &store, config())?;
    for key in &keys {
        ensure!(warm.contains_key(key)?, "wrong answer");
    }
    let lookups = n.min(200_000);
    let chosen = spread(n, lookups);
    measure(&store, "lookup-warm", n, lookups, || {
        for &i in &chosen {
            ensure!(warm.get(&keys[i])? == Some(&(i as u64)), "wrong answer");
        }
        Ok(())
    })?;

    let cold = n.min(20_000);
    measure(&store, "lookup-cold", n, cold, || {
        for &i in &chosen[..cold] {
            let map = Map::load_with_config(&root, &store, config())?;
            ensure!(map.get(&keys[i])? == Some(&(i as u64)), "wrong answer");
        }
        Ok(())
    })?;

    let map = Map::load_with_config(&root, &store, config())?;
    measure(&store, "iterate-node", n, n, || {
        let mut count = 0;
        map.for_each(|_, _| {
            count += 1;
            Ok(())
        })?;
        ensure!(count == n, "wrong answer");
        Ok(())
    })?;

    let mut map = Map::load_with_config(&root, &store, config())?;
    let deletes = n / 10;
    measure(&store, "deletes", n, deletes, || {
        for &i in &chosen[..deletes] {
            ensure!(map.delete(&keys[i])?.is_some(), "wrong answer");
        }
        map.flush()?;
        Ok(())
    })
}

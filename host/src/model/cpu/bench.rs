use super::product::*;
use std::time::Instant;
#[test]
#[ignore]
fn speed() {
    for threads in [1, 2] {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            for (m, k, n) in [(2048, 128, 512), (2048, 128, 128), (2048, 512, 128), (2048, 256, 768), (1024, 576, 1536), (1024, 1536, 576), (64,128,512),(256,128,384),(1,576,1536),(8,576,3072)] {
                let x = vec![0.5f32; m * k];
                let w = vec![0.25f32; n * k];
                let mut y = vec![0.0f32; m * n];
                let mut p = Packed::default();
                p.pack_transposed(&w, n, k);
                let reps = (4e9 / (2.0 * (m * k * n) as f64)).ceil() as usize;
                let flops = 2.0 * (m * k * n * reps) as f64 / 1e9;
                let t = Instant::now();
                for _ in 0..reps { multiply(&x, &p, &mut y, false); }
                let own = flops / t.elapsed().as_secs_f64();
                let mut g = vec![0.0f32; n * k];
                let t = Instant::now();
                for _ in 0..reps { accumulate_outer(&y, &x, n, k, &mut g); }
                let outer = flops / t.elapsed().as_secs_f64();
                let t = Instant::now();
                let par = if threads == 1 { gemm::Parallelism::None } else { gemm::Parallelism::Rayon(threads) };
                for _ in 0..reps {
                    #[expect(unsafe_code)]
                    unsafe { gemm::gemm(m, n, k, y.as_mut_ptr(), 1, n as isize, false, x.as_ptr(), 1, k as isize, w.as_ptr(), k as isize, 1, 0.0, 1.0, false, false, false, par); }
                }
                let theirs = flops / t.elapsed().as_secs_f64();
                println!("{threads} threads {m}x{k}x{n}: own {own:.0} outer {outer:.0} gemm crate {theirs:.0} GF/s");
            }
        });
    }
}

# Needed to build the libraries and to link them, from an installed copy too, where `sparsepush_need` is find_dependency.
sparsepush_need(Threads)
sparsepush_need(ZLIB)
sparsepush_need(fmt)
sparsepush_need(nlohmann_json)
sparsepush_need(tomlplusplus)
set(vendor_before "${BLA_VENDOR}")
set(BLA_VENDOR OpenBLAS)
sparsepush_need(BLAS)
set(BLA_VENDOR "${vendor_before}")
sparsepush_need(dnnl)
sparsepush_need(OpenMP COMPONENTS CXX)  # whose threads oneDNN would take: only its library, no pragma of ours
